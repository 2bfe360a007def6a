using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>
/// All that a decision depends on. <paramref name="Attempt"/> counts from 1 within the step; <paramref name="Strategy"/> is
/// <see cref="UpgradeStrategy.Auto"/> only until Preflight has chosen.
/// </summary>
public sealed record UpgradeSituation(
    UpgradeState State, StepPhase Phase, int Attempt, string Host, long Epoch, UpgradeStrategy Strategy)
{
    /// <summary>The same for the whole life of an upgrade.</summary>
    public GateTimes Gates { get; init; } = GateTimes.None;

    public bool Ended => State is UpgradeState.Completed or UpgradeState.RolledBack or UpgradeState.Failed
        or UpgradeState.CommitIncomplete;

    /// <summary>The step that the state stands for; null when no step runs.</summary>
    public UpgradeStep? Step => State switch
    {
        UpgradeState.RollingBack => UpgradeStep.RollBack,
        >= UpgradeState.Preflight and <= UpgradeState.Commit => (UpgradeStep)(State - UpgradeState.Preflight + 1),
        _ => null,
    };

    /// <summary>The state in which a forward step runs.</summary>
    public static UpgradeState StateOf(UpgradeStep step) => (UpgradeState)(step - UpgradeStep.Preflight) + (int)UpgradeState.Preflight;
}

/// <summary>
/// How long the gates before a step may take together; null: there are none. <paramref name="Standby"/> are asked when kernel B stands by, before
/// anything is transferred; <paramref name="Probation"/> after the cut-over: the probation's own watch comes last, so that a kernel B that failed
/// while gates were asked is not committed.
/// </summary>
public sealed record GateTimes(TimeSpan? Standby, TimeSpan? Probation)
{
    public static readonly GateTimes None = new(null, null);

    public TimeSpan? Before(UpgradeStep step) => step switch
    {
        UpgradeStep.Transfer => Standby,
        UpgradeStep.Probation => Probation,
        _ => null,
    };
}

/// <summary>An order to the host's agent.</summary>
/// <param name="Step">The step to carry out.</param>
/// <param name="Attempt">1 for the first.</param>
/// <param name="Deadline">How long it may take once accepted.</param>
/// <param name="ExpiresAfter">How long it may be accepted.</param>
public sealed record StepCommand(UpgradeStep Step, int Attempt, TimeSpan Deadline, TimeSpan ExpiresAfter);

/// <summary>What the journal writes down.</summary>
public abstract record UpgradeEffect
{
    private UpgradeEffect()
    {
    }

    public sealed record AcceptStep : UpgradeEffect;

    public sealed record NoteProgress(string Message) : UpgradeEffect;

    /// <summary>The current attempt has an outcome. <see cref="UpgradeFailure.None"/>: it succeeded.</summary>
    public sealed record FinishStep(UpgradeFailure Failure, string Reason, StepReport Report) : UpgradeEffect;

    /// <summary>The upgrade as a whole carries this failure from now on.</summary>
    public sealed record RecordFailure(UpgradeStep? Step, UpgradeFailure Failure, string Reason) : UpgradeEffect;

    /// <summary>Kernel B took the machine over without a cut-over: what the step had failed with. Nothing that follows takes it back.</summary>
    public sealed record NoteTakeOver(string Reason) : UpgradeEffect;

    /// <summary>A later attempt made good what had failed.</summary>
    public sealed record ClearFailure : UpgradeEffect;
}

/// <summary>What follows from an event.</summary>
public sealed record UpgradeDecision
{
    public required UpgradeSituation Next { get; init; }

    /// <summary>Why nothing changes; null when the event was handled.</summary>
    public IgnoredEvent? Ignored { get; init; }

    public StepCommand? Command { get; init; }

    /// <summary>Time until <see cref="UpgradeEvent.DeadlinePassed"/>; null: none, or as before when <see cref="KeepsDeadline"/>.</summary>
    public TimeSpan? Deadline { get; init; }

    public bool KeepsDeadline { get; init; }

    public IReadOnlyList<UpgradeEffect> Effects { get; init; } = [];
}
