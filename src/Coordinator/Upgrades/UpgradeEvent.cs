using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>What can happen to an upgrade.</summary>
public abstract record UpgradeEvent
{
    private UpgradeEvent()
    {
    }

    /// <summary>The upgrade may begin.</summary>
    public sealed record Started : UpgradeEvent;

    /// <summary>The time that the situation allowed is over: for an answer, or for waiting before the next attempt.</summary>
    public sealed record DeadlinePassed : UpgradeEvent;

    /// <summary>An operator or a rule wants kernel A back, if that is still possible.</summary>
    public sealed record Aborted(string Reason) : UpgradeEvent;

    /// <summary>What the gates before a step have come to.</summary>
    public abstract record FromGates(UpgradeStep Step) : UpgradeEvent;

    public sealed record GatesPassed(UpgradeStep Step) : FromGates(Step);

    public sealed record GateStopped(UpgradeStep Step, string Reason) : FromGates(Step);

    /// <summary>A word of the host's agent about one step.</summary>
    public abstract record FromHost(string Host, long Epoch, UpgradeStep Step) : UpgradeEvent;

    public sealed record Accepted(string Host, long Epoch, UpgradeStep Step) : FromHost(Host, Epoch, Step);

    public sealed record Progressed(string Host, long Epoch, UpgradeStep Step, string Message)
        : FromHost(Host, Epoch, Step);

    public sealed record Completed(string Host, long Epoch, UpgradeStep Step, StepReport Report)
        : FromHost(Host, Epoch, Step);

    public sealed record Failed(
        string Host, long Epoch, UpgradeStep Step, UpgradeFailure Failure, string Reason, StepReport Report)
        : FromHost(Host, Epoch, Step);
}

/// <summary>What a result brings besides its outcome.</summary>
public sealed record StepReport(
    IReadOnlyList<StepTiming> Timings, GuestObservation? Guest, ObservedOutage? Outage)
{
    /// <summary>What Preflight chose; null: a twin, as every host agent knows it.</summary>
    public UpgradeStrategy? Strategy { get; init; }

    /// <summary>Why Preflight did not choose an earlier strategy.</summary>
    public string? StrategyReason { get; init; }

    /// <summary>What kernel A says of the image's signature; null when it was not asked.</summary>
    public string? Signature { get; init; }

    /// <summary>Of a step that nobody answered for.</summary>
    public static StepReport Nothing { get; } = new([], null, null);
}

/// <summary>Why an event changed nothing.</summary>
public enum IgnoredEvent
{
    /// <summary>The upgrade has ended.</summary>
    AlreadyEnded = 1,

    /// <summary>The upgrade was started before.</summary>
    AlreadyStarted = 2,

    /// <summary>Nothing was asked of the host yet.</summary>
    NotStarted = 3,

    /// <summary>Another host than the upgrade's speaks.</summary>
    ForeignHost = 4,

    /// <summary>The word belongs to another upgrade of the guest.</summary>
    ForeignEpoch = 5,

    /// <summary>The step has an outcome already, or was given up: late or duplicate.</summary>
    StepIsOver = 6,

    /// <summary>The step was never asked for.</summary>
    StepNotAsked = 7,

    /// <summary>The attempt was accepted before.</summary>
    AlreadyAccepted = 8,

    /// <summary>The attempt has failed already; the next one is due.</summary>
    RetryPending = 9,

    /// <summary>The commit has begun.</summary>
    NoWayBack = 10,

    /// <summary>Kernel A is getting everything back already.</summary>
    AlreadyRollingBack = 11,

    /// <summary>The gates before that step are not asked now.</summary>
    NoGateAsked = 12,
}
