using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>The way of messages, section <c>Delivery</c>.</summary>
public sealed record DeliveryOptions
{
    public const string Section = "Delivery";

    /// <summary>How often the outbox is read when no notification came: 50 ms to 1 min, default 1 s.</summary>
    public TimeSpan OutboxInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often deadlines are looked at: 50 ms to 1 min, default 1 s.</summary>
    public TimeSpan ReconcileInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long after a start, or after the database or the broker was out of reach, no deadline is judged: results may
    /// wait in the queue that were in time. 0 to 10 min, default 10 s.
    /// </summary>
    public TimeSpan CatchUp { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the broker may take to confirm a command: 100 ms to 1 min, default 5 s.</summary>
    public TimeSpan ConfirmWithin { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a host's agent may take to answer a question about a guest: 100 ms to 1 min, default 10 s.</summary>
    public TimeSpan AnswerWithin { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Commands sent in one go, of different upgrades: 1 to 1,000, default 50.</summary>
    public int BatchSize { get; init; } = 50;

    /// <summary>How often a watched upgrade is read when no notification came: 50 ms to 1 min, default 2 s.</summary>
    public TimeSpan WatchInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long delivered commands and taken messages are kept: 1 h to 3,650 days, default 30 days.</summary>
    public TimeSpan Keep { get; init; } = TimeSpan.FromDays(30);
}

/// <summary>Refuses what cannot work, all of it at once.</summary>
public sealed class DeliveryOptionsValidator : IValidateOptions<DeliveryOptions>
{
    public ValidateOptionsResult Validate(string? name, DeliveryOptions options)
    {
        TimeSpan tick = TimeSpan.FromMilliseconds(50);
        List<string> errors = [];
        errors.AddUnlessIn("Delivery:OutboxInterval", options.OutboxInterval, tick, TimeSpan.FromMinutes(1));
        errors.AddUnlessIn("Delivery:ReconcileInterval", options.ReconcileInterval, tick, TimeSpan.FromMinutes(1));
        errors.AddUnlessIn("Delivery:WatchInterval", options.WatchInterval, tick, TimeSpan.FromMinutes(1));
        errors.AddUnlessIn("Delivery:CatchUp", options.CatchUp, TimeSpan.Zero, TimeSpan.FromMinutes(10));
        errors.AddUnlessIn("Delivery:ConfirmWithin", options.ConfirmWithin, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        errors.AddUnlessIn("Delivery:AnswerWithin", options.AnswerWithin, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        errors.AddUnlessIn("Delivery:Keep", options.Keep, TimeSpan.FromHours(1), TimeSpan.FromDays(3650));
        errors.AddUnlessIn("Delivery:BatchSize", options.BatchSize, 1, 1000);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
