using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>
/// Times and limits of upgrades, section <c>Upgrades</c>. The defaults suit guests under software emulation on a
/// shared machine; on hardware with KVM they are generous. Every time is between 100 ms and 1 day.
/// </summary>
public sealed record UpgradeOptions
{
    public const string Section = "Upgrades";

    /// <summary>How long a host may take to accept a command; afterwards it must not start it. Default 30 s.</summary>
    public TimeSpan AcceptWithin { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Added to every deadline for the way of the message. Default 5 s; shorter than <see cref="AcceptWithin"/>.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long each step may take once it was accepted.</summary>
    public StepDeadlines Deadlines { get; init; } = new();

    /// <summary>How often RollBack is tried before the upgrade is Failed: 1 to 100, default 5.</summary>
    public int RollBackAttempts { get; init; } = 5;

    /// <summary>How often Commit is tried before the upgrade ends incomplete: 1 to 100, default 10.</summary>
    public int CommitAttempts { get; init; } = 10;

    /// <summary>Wait before the second attempt; doubles with each further one. Default 2 s.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The longest wait between attempts, not below <see cref="Backoff"/>. Default 1 min.</summary>
    public TimeSpan BackoffLimit { get; init; } = TimeSpan.FromMinutes(1);

    public TimeSpan DeadlineOf(UpgradeStep step, UpgradeStrategy strategy = UpgradeStrategy.Twin) => step switch
    {
        UpgradeStep.CutOver when strategy is UpgradeStrategy.Kexec or UpgradeStrategy.Reboot => Deadlines.NewBoot,
        UpgradeStep.Preflight => Deadlines.Preflight,
        UpgradeStep.Reserve => Deadlines.Reserve,
        UpgradeStep.Load => Deadlines.Load,
        UpgradeStep.Boot => Deadlines.Boot,
        UpgradeStep.Standby => Deadlines.Standby,
        UpgradeStep.Transfer => Deadlines.Transfer,
        UpgradeStep.CutOver => Deadlines.CutOver,
        UpgradeStep.Probation => Deadlines.Probation,
        UpgradeStep.Commit => Deadlines.Commit,
        UpgradeStep.RollBack => Deadlines.RollBack,
        _ => throw new ArgumentOutOfRangeException(nameof(step), step, "Not a step."),
    };

    public TimeSpan BackoffAfter(int attempt)
    {
        double ticks = Backoff.Ticks * Math.Pow(2, Math.Min(attempt, 30) - 1);
        return ticks >= BackoffLimit.Ticks ? BackoffLimit : TimeSpan.FromTicks((long)ticks);
    }
}

/// <summary>Section <c>Upgrades:Deadlines</c>: from the acceptance of a step to its result.</summary>
public sealed record StepDeadlines
{
    /// <summary>Default 30 s.</summary>
    public TimeSpan Preflight { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Default 60 s.</summary>
    public TimeSpan Reserve { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Default 120 s.</summary>
    public TimeSpan Load { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Default 30 s.</summary>
    public TimeSpan Boot { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Default 90 s.</summary>
    public TimeSpan Standby { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>Default 60 s.</summary>
    public TimeSpan Transfer { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Default 60 s.</summary>
    public TimeSpan CutOver { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Of the CutOver by kexec or reboot, in which a whole boot lies. Default 180 s.</summary>
    public TimeSpan NewBoot { get; init; } = TimeSpan.FromSeconds(180);

    /// <summary>Default 60 s.</summary>
    public TimeSpan Probation { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Default 120 s.</summary>
    public TimeSpan Commit { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Default 120 s.</summary>
    public TimeSpan RollBack { get; init; } = TimeSpan.FromSeconds(120);
}

/// <summary>Refuses times and limits that cannot work, all of them at once.</summary>
public sealed class UpgradeOptionsValidator : IValidateOptions<UpgradeOptions>
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, UpgradeOptions options)
    {
        List<string> errors = [];
        InRange("AcceptWithin", options.AcceptWithin);
        InRange("Grace", options.Grace);
        InRange("Backoff", options.Backoff);
        InRange("BackoffLimit", options.BackoffLimit);
        foreach (UpgradeStep step in Enum.GetValues<UpgradeStep>())
        {
            InRange($"Deadlines:{step}", options.DeadlineOf(step));
        }

        InRange("Deadlines:NewBoot", options.Deadlines.NewBoot);
        if (options.Grace >= options.AcceptWithin)
        {
            errors.Add($"Upgrades:Grace ({options.Grace}) must be shorter than Upgrades:AcceptWithin ({options.AcceptWithin}).");
        }

        if (options.BackoffLimit < options.Backoff)
        {
            errors.Add($"Upgrades:BackoffLimit ({options.BackoffLimit}) must not be below Upgrades:Backoff ({options.Backoff}).");
        }

        Attempts("RollBackAttempts", options.RollBackAttempts);
        Attempts("CommitAttempts", options.CommitAttempts);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void InRange(string key, TimeSpan value) => errors.AddUnlessIn($"Upgrades:{key}", value, Shortest, Longest);

        void Attempts(string key, int value) => errors.AddUnlessIn($"Upgrades:{key}", value, 1, 100);
    }
}
