using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>How an upgrade of a member ended.</summary>
/// <param name="State">Completed, RolledBack, Failed or CommitIncomplete.</param>
/// <param name="Failure">Why it did not complete.</param>
/// <param name="Reason">One sentence.</param>
/// <param name="At">When.</param>
internal sealed record UpgradeEnd(UpgradeState State, UpgradeFailure Failure, string Reason, DateTimeOffset At);

/// <summary>What the end of an upgrade means for the guest in its rollout.</summary>
/// <param name="State">Where it stands now.</param>
/// <param name="Why">One sentence, or null.</param>
/// <param name="NotBefore">When it may be tried again; null: at any time, or never.</param>
/// <param name="Quarantine">Why no rollout takes it from now on; null: they may.</param>
internal sealed record MemberOutcome(MemberState State, string? Why = null, DateTimeOffset? NotBefore = null, string? Quarantine = null)
{
    /// <param name="member">The guest, <see cref="MemberState.Running"/> or <see cref="MemberState.Undoing"/>.</param>
    /// <param name="rollout">Where its rollout stands.</param>
    /// <param name="retry">How often it is tried.</param>
    /// <param name="end">How the upgrade ended.</param>
    public static MemberOutcome Of(RolloutMember member, RolloutState rollout, RetryPolicy retry, UpgradeEnd end)
    {
        bool undoing = member.State == MemberState.Undoing;
        if (end.State == UpgradeState.Completed)
        {
            return undoing ? new(MemberState.Undone)
                // It could not be aborted any more; the rollout brings everything back.
                : rollout == RolloutState.RollingBack ? new(MemberState.UndoWaiting)
                : new(MemberState.Succeeded);
        }

        if (end.Failure == UpgradeFailure.Aborted && end.State == UpgradeState.RolledBack)
        {
            return undoing ? new(MemberState.UndoFailed, $"bringing it back was ended: {end.Reason}")
                : rollout is RolloutState.RollingBack or RolloutState.Stopping ? new(MemberState.Skipped, $"its upgrade was ended: {end.Reason}")
                : new(MemberState.Waiting);
        }

        if (end.State != UpgradeState.RolledBack)
        {
            // Nobody knows for certain what serves: no machine may try again.
            return new(undoing ? MemberState.UndoFailed : MemberState.Failed, end.Reason, Quarantine: $"{end.State}: {end.Reason}");
        }

        RetryDecision again = retry.Decide(member.Attempt, Instant.FromDateTimeOffset(end.At), end.Reason);
        return again.RetryAt is { } at
            ? new(undoing ? MemberState.UndoWaiting : MemberState.Waiting, $"attempt {member.Attempt} failed: {end.Reason}", at.ToDateTimeOffset())
            : new(undoing ? MemberState.UndoFailed : MemberState.Failed, end.Reason, Quarantine: again.QuarantineReason);
    }
}
