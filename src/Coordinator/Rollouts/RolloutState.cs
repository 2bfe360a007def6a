namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>Where a rollout stands.</summary>
public enum RolloutState
{
    /// <summary>Made; another person than its maker must approve the plan.</summary>
    AwaitingApproval = 1,

    /// <summary>Made, and approved where that is asked for; waits to be started.</summary>
    Ready = 2,

    /// <summary>Guests of the current wave are admitted, as limits allow.</summary>
    Running = 3,

    /// <summary>No window is open; guests that run may finish, none is admitted.</summary>
    WaitingForWindow = 4,

    /// <summary>Every guest of the wave has ended; the new kernels are given time to show what they are.</summary>
    Settling = 5,

    /// <summary>The wave's gates are asked.</summary>
    Gating = 6,

    /// <summary>The wave is good; a person must let the next one begin.</summary>
    AwaitingPromotion = 7,

    /// <summary>Stands still by an operator's word, an error policy or a gate; guests that run finish.</summary>
    Paused = 8,

    /// <summary>Guests that this rollout upgraded are brought back to the image they came from.</summary>
    RollingBack = 9,

    /// <summary>Nothing more is admitted; ends when the last running guest has.</summary>
    Stopping = 10,

    /// <summary>Ended: every wave is through.</summary>
    Completed = 11,

    /// <summary>Ended: aborted by an operator.</summary>
    Stopped = 12,

    /// <summary>Ended: cancelled by an operator.</summary>
    Cancelled = 13,

    /// <summary>Ended: what it had upgraded is back on the image it came from.</summary>
    RolledBack = 14,

    /// <summary>Ended: an error policy stopped it, or not everything that was to be brought back is.</summary>
    Failed = 15,
}

/// <summary>How much is brought back.</summary>
public enum UndoScope
{
    /// <summary>What the current wave upgraded.</summary>
    Wave = 1,

    /// <summary>What the whole rollout upgraded.</summary>
    Rollout = 2,
}

/// <summary>All that a decision about a rollout depends on.</summary>
/// <param name="State">Where it stands.</param>
/// <param name="Wave">The current wave, from 1; 0 before the start.</param>
/// <param name="Waves">How many there are.</param>
/// <param name="PausedIn">What <see cref="RolloutState.Paused"/> goes back to; null in every other state.</param>
/// <param name="EndsAs">What <see cref="RolloutState.Stopping"/> ends as; null in every other state.</param>
public sealed record RolloutSituation(RolloutState State, int Wave, int Waves, RolloutState? PausedIn = null, RolloutState? EndsAs = null)
{
    public bool Ended => State is RolloutState.Completed or RolloutState.Stopped or RolloutState.Cancelled or RolloutState.RolledBack or RolloutState.Failed;

    public bool Started => State is not (RolloutState.AwaitingApproval or RolloutState.Ready);
}

/// <summary>What lies between the current wave and the next.</summary>
/// <param name="Settle">How long the wave is given, 0 or more.</param>
/// <param name="Gated">Gates are asked afterwards.</param>
/// <param name="ByHand">A person lets the next wave begin.</param>
public sealed record WavePassage(TimeSpan Settle, bool Gated, bool ByHand);

/// <summary>What can happen to a rollout.</summary>
public abstract record RolloutEvent
{
    private RolloutEvent()
    {
    }

    /// <summary>Another person approves of the plan, for <paramref name="Lasts"/>.</summary>
    public sealed record Approve(TimeSpan Lasts) : RolloutEvent;

    public sealed record Start : RolloutEvent;

    /// <summary>By an operator, an error policy or a gate.</summary>
    public sealed record Pause : RolloutEvent;

    public sealed record Resume : RolloutEvent;

    public sealed record Promote : RolloutEvent;

    /// <summary>Guests that failed shall try again.</summary>
    public sealed record Retry : RolloutEvent;

    /// <summary>Guests that run may finish, and that is all.</summary>
    public sealed record Cancel : RolloutEvent;

    /// <summary>Guests that run go back to kernel A wherever the commit has not begun, and that is all.</summary>
    public sealed record Abort : RolloutEvent;

    /// <summary>An error policy's limit was passed, and the policy is to stop.</summary>
    public sealed record TooManyFailed : RolloutEvent;

    /// <summary>By an operator or an error policy: what was upgraded goes back to where it came from.</summary>
    public sealed record Undo(UndoScope Scope) : RolloutEvent;

    /// <summary>The time that the state allows is over.</summary>
    public sealed record DeadlinePassed : RolloutEvent;

    /// <summary>Nothing of the current wave waits or runs any more.</summary>
    public sealed record WaveEnded : RolloutEvent;

    public sealed record GatesPassed : RolloutEvent;

    /// <summary>No window is open; the next one opens after <paramref name="OpensIn"/>, or none is known to.</summary>
    public sealed record WindowClosed(TimeSpan? OpensIn) : RolloutEvent;

    public sealed record WindowOpened : RolloutEvent;

    /// <summary>No guest of the rollout runs any more.</summary>
    public sealed record Idle : RolloutEvent;

    /// <summary>Nothing waits to be brought back any more, and nothing runs.</summary>
    public sealed record UndoEnded(bool Whole) : RolloutEvent;
}

/// <summary>Why an event changed nothing.</summary>
public enum IgnoredRolloutEvent
{
    /// <summary>The rollout has ended.</summary>
    AlreadyEnded = 1,

    /// <summary>Nobody is asked to approve.</summary>
    NoApprovalAwaited = 2,

    /// <summary>The plan is not approved.</summary>
    NotApproved = 3,

    /// <summary>The rollout was started before.</summary>
    AlreadyStarted = 4,

    /// <summary>The rollout was not started.</summary>
    NotStarted = 5,

    /// <summary>It stands still already.</summary>
    AlreadyPaused = 6,

    /// <summary>It does not stand still.</summary>
    NotPaused = 7,

    /// <summary>No wave waits for a person.</summary>
    NothingToPromote = 8,

    /// <summary>It is ending; nothing more will begin.</summary>
    AlreadyStopping = 9,

    /// <summary>It brings guests back already.</summary>
    AlreadyRollingBack = 10,

    /// <summary>The state has no time of its own that could pass.</summary>
    NoDeadline = 11,

    /// <summary>What the event says has no meaning in this state: an observation from before the last change.</summary>
    Late = 12,
}

/// <summary>What is to be done besides the change of state.</summary>
[Flags]
public enum RolloutEffects
{
    None = 0,

    /// <summary>The current wave begins now.</summary>
    BeginWave = 1,

    /// <summary>The wave's gates are asked from the beginning.</summary>
    AskGates = 2,

    /// <summary>Guests that failed wait again, with all their attempts.</summary>
    RetryFailed = 4,

    /// <summary>Guests that wait will not be upgraded.</summary>
    SkipWaiting = 8,

    /// <summary>Guests that run go back to kernel A wherever the commit has not begun.</summary>
    AbortRunning = 16,

    /// <summary>Guests of the current wave that were upgraded are to be brought back.</summary>
    UndoWave = 32,

    /// <summary>Guests of all waves that were upgraded are to be brought back.</summary>
    UndoAll = 64,

    /// <summary>The rollout lets go of its guests.</summary>
    Release = 128,
}

/// <summary>What follows from an event.</summary>
/// <param name="Next">The situation afterwards.</param>
/// <param name="Ignored">Why nothing changes; null when the event was handled.</param>
/// <param name="Effects">What is to be done.</param>
/// <param name="Deadline">Time until <see cref="RolloutEvent.DeadlinePassed"/>; null: none.</param>
public sealed record RolloutDecision(
    RolloutSituation Next, IgnoredRolloutEvent? Ignored = null, RolloutEffects Effects = RolloutEffects.None, TimeSpan? Deadline = null);
