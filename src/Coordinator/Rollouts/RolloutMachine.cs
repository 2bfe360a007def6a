using static TwinKernel.Fleet.Coordinator.Rollouts.RolloutEffects;
using static TwinKernel.Fleet.Coordinator.Rollouts.RolloutState;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// The life of a rollout: (situation, event) → (situation, effects, deadline), without any I/O or clock.
/// <code>
/// AwaitingApproval → Ready → Running → Settling → Gating → AwaitingPromotion → Running (next wave) … → Completed
///                              ↕                                    Paused ↔ any of Running to AwaitingPromotion
///                       WaitingForWindow        RollingBack → RolledBack or Failed; Stopping → Stopped, Cancelled or Failed
/// </code>
/// docs/rollout-states.md has every pair; it is written from this code.
/// </summary>
public static class RolloutMachine
{
    /// <param name="now">The rollout.</param>
    /// <param name="what">What happened to it.</param>
    /// <param name="passage">What follows the current wave.</param>
    public static RolloutDecision Decide(RolloutSituation now, RolloutEvent what, WavePassage passage) => what switch
    {
        _ when now.Ended => Ignore(now, IgnoredRolloutEvent.AlreadyEnded),
        RolloutEvent.Approve approve => now.State switch
        {
            AwaitingApproval => new(now with { State = Ready }, Deadline: approve.Lasts),
            _ => Ignore(now, IgnoredRolloutEvent.NoApprovalAwaited),
        },
        RolloutEvent.Start => now.State switch
        {
            AwaitingApproval => Ignore(now, IgnoredRolloutEvent.NotApproved),
            Ready => new(now with { State = Running, Wave = 1 }, Effects: BeginWave),
            _ => Ignore(now, IgnoredRolloutEvent.AlreadyStarted),
        },
        RolloutEvent.Cancel when !now.Started => End(now, Cancelled, SkipWaiting),
        RolloutEvent.Abort when !now.Started => End(now, Stopped, SkipWaiting),
        // The approval has expired.
        RolloutEvent.DeadlinePassed when now.State == Ready => new(now with { State = AwaitingApproval }),
        _ when !now.Started => Ignore(now, IgnoredRolloutEvent.NotStarted),
        RolloutEvent.Idle when now.State == Stopping => End(now, now.EndsAs!.Value),
        RolloutEvent.Abort when now.State == Stopping => new(now with { EndsAs = Stopped }, Effects: AbortRunning),
        RolloutEvent.Undo undo when now.State == Stopping => Undo(now, undo.Scope),
        _ when now.State == Stopping => Ignore(now, IgnoredRolloutEvent.AlreadyStopping),
        RolloutEvent.UndoEnded ended when now.State == RollingBack => End(now, ended.Whole ? RolledBack : Failed),
        // Who undid a wave may want the rest undone as well.
        RolloutEvent.Undo { Scope: UndoScope.Rollout } when now.State == RollingBack => new(now, Effects: UndoAll),
        RolloutEvent.Abort when now.State == RollingBack => Stop(now, Stopped, SkipWaiting | AbortRunning),
        _ when now.State == RollingBack => Ignore(now, IgnoredRolloutEvent.AlreadyRollingBack),
        RolloutEvent.Cancel => Stop(now, Cancelled, SkipWaiting),
        RolloutEvent.Abort => Stop(now, Stopped, SkipWaiting | AbortRunning),
        RolloutEvent.TooManyFailed => Stop(now, Failed, SkipWaiting | AbortRunning),
        RolloutEvent.Undo undo => Undo(now, undo.Scope),
        // The wave is not over any more, wherever it stood.
        RolloutEvent.Retry => now.State switch
        {
            Running or WaitingForWindow => new(now, Effects: RetryFailed),
            Paused => new(now with { PausedIn = Running }, Effects: RetryFailed),
            _ => new(now with { State = Running }, Effects: RetryFailed),
        },
        RolloutEvent.Pause => now.State == Paused
            ? Ignore(now, IgnoredRolloutEvent.AlreadyPaused)
            : new(now with { State = Paused, PausedIn = now.State }),
        RolloutEvent.Resume => now.State == Paused ? Resume(now, passage) : Ignore(now, IgnoredRolloutEvent.NotPaused),
        RolloutEvent.Promote => now.State switch
        {
            AwaitingPromotion => NextWave(now),
            _ => Ignore(now, IgnoredRolloutEvent.NothingToPromote),
        },
        RolloutEvent.DeadlinePassed => now.State switch
        {
            Settling => AfterSettling(now, passage),
            WaitingForWindow => new(now with { State = Running }),
            _ => Ignore(now, IgnoredRolloutEvent.NoDeadline),
        },
        RolloutEvent.WaveEnded when now.State is Running or WaitingForWindow => new(now with { State = Settling }, Deadline: passage.Settle),
        RolloutEvent.GatesPassed when now.State == Gating => AfterGates(now, passage),
        RolloutEvent.WindowClosed closed when now.State == Running => new(now with { State = WaitingForWindow }, Deadline: closed.OpensIn),
        RolloutEvent.WindowOpened when now.State == WaitingForWindow => new(now with { State = Running }),
        _ => Ignore(now, IgnoredRolloutEvent.Late),
    };

    private static RolloutDecision Ignore(RolloutSituation now, IgnoredRolloutEvent name) => new(now, name);

    /// <summary>What was interrupted begins again: settling lasts its whole time, gates are asked anew.</summary>
    private static RolloutDecision Resume(RolloutSituation now, WavePassage passage)
    {
        RolloutSituation next = now with { State = now.PausedIn!.Value, PausedIn = null };
        return next.State switch
        {
            Settling => new(next, Deadline: passage.Settle),
            Gating => new(next, Effects: AskGates),
            // Whether a window is open is looked at anew.
            WaitingForWindow => new(next with { State = Running }),
            _ => new(next),
        };
    }

    private static RolloutDecision AfterSettling(RolloutSituation now, WavePassage passage) => passage.Gated
        ? new(now with { State = Gating }, Effects: AskGates)
        : AfterGates(now, passage);

    private static RolloutDecision AfterGates(RolloutSituation now, WavePassage passage) => passage.ByHand && now.Wave < now.Waves
        ? new(now with { State = AwaitingPromotion })
        : NextWave(now);

    private static RolloutDecision NextWave(RolloutSituation now) => now.Wave < now.Waves
        ? new(now with { State = Running, Wave = now.Wave + 1 }, Effects: BeginWave)
        : End(now, Completed);

    private static RolloutDecision Undo(RolloutSituation now, UndoScope scope) => new(
        now with { State = RollingBack, PausedIn = null, EndsAs = null },
        Effects: SkipWaiting | AbortRunning | (scope == UndoScope.Wave ? UndoWave : UndoAll));

    private static RolloutDecision Stop(RolloutSituation now, RolloutState endsAs, RolloutEffects effects) =>
        new(now with { State = Stopping, PausedIn = null, EndsAs = endsAs }, Effects: effects);

    private static RolloutDecision End(RolloutSituation now, RolloutState state, RolloutEffects effects = None) =>
        new(now with { State = state, PausedIn = null, EndsAs = null }, Effects: effects | Release);
}
