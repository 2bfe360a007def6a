using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>How rollouts are driven, section <c>Rollouts</c>.</summary>
public sealed record RolloutOptions
{
    public const string Section = "Rollouts";

    /// <summary>How often a rollout that runs is looked at when nothing was heard: 50 ms to 1 min, default 1 s.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a place among those who are upgraded counts after the guest's host was last heard: 10 s to 1 day, default 5 min.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>Refuses what cannot work, all of it at once.</summary>
public sealed class RolloutOptionsValidator : IValidateOptions<RolloutOptions>
{
    public ValidateOptionsResult Validate(string? name, RolloutOptions options)
    {
        List<string> errors = [];
        errors.AddUnlessIn("Rollouts:Interval", options.Interval, TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(1));
        errors.AddUnlessIn("Rollouts:LeaseTime", options.LeaseTime, TimeSpan.FromSeconds(10), TimeSpan.FromDays(1));
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
