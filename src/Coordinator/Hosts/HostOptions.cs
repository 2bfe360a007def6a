using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Hosts;

/// <summary>How hosts are heard, section <c>Hosts</c>.</summary>
public sealed record HostOptions
{
    public const string Section = "Hosts";

    /// <summary>Of all hosts together, shared by all coordinators: 1 to 100,000, default 500. More hosts than beat so often by themselves are told to beat more seldom.</summary>
    public int MaxHeartbeatsPerSecond { get; init; } = 500;

    /// <summary>How often that is looked after: 100 ms to 1 min, default 10 s.</summary>
    public TimeSpan PaceInterval { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>Refuses what cannot work, all of it at once.</summary>
public sealed class HostOptionsValidator : IValidateOptions<HostOptions>
{
    public ValidateOptionsResult Validate(string? name, HostOptions options)
    {
        List<string> errors = [];
        errors.AddUnlessIn("Hosts:MaxHeartbeatsPerSecond", options.MaxHeartbeatsPerSecond, 1, 100_000);
        errors.AddUnlessIn("Hosts:PaceInterval", options.PaceInterval, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
