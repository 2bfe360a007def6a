using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Tests.Rollouts;

/// <summary>What each end of an upgrade makes of the guest in its rollout.</summary>
public sealed class MemberOutcomeTests
{
    private static readonly RetryPolicy Twice = new() { Attempts = 2, Backoff = Duration.FromMinutes(1) };

    [Theory]
    [InlineData(MemberState.Running, RolloutState.Running, 1, UpgradeState.Completed, UpgradeFailure.None, MemberState.Succeeded)]
    [InlineData(MemberState.Running, RolloutState.Stopping, 1, UpgradeState.Completed, UpgradeFailure.None, MemberState.Succeeded)]
    [InlineData(MemberState.Running, RolloutState.RollingBack, 1, UpgradeState.Completed, UpgradeFailure.None, MemberState.UndoWaiting)]
    [InlineData(MemberState.Undoing, RolloutState.RollingBack, 1, UpgradeState.Completed, UpgradeFailure.None, MemberState.Undone)]
    [InlineData(MemberState.Running, RolloutState.Running, 1, UpgradeState.RolledBack, UpgradeFailure.LaunchTimedOut, MemberState.Waiting)]
    [InlineData(MemberState.Running, RolloutState.Running, 2, UpgradeState.RolledBack, UpgradeFailure.LaunchTimedOut, MemberState.Failed)]
    [InlineData(MemberState.Undoing, RolloutState.RollingBack, 1, UpgradeState.RolledBack, UpgradeFailure.LaunchTimedOut, MemberState.UndoWaiting)]
    [InlineData(MemberState.Undoing, RolloutState.RollingBack, 2, UpgradeState.RolledBack, UpgradeFailure.LaunchTimedOut, MemberState.UndoFailed)]
    [InlineData(MemberState.Running, RolloutState.Running, 1, UpgradeState.Failed, UpgradeFailure.RollBackFailed, MemberState.Failed)]
    [InlineData(MemberState.Running, RolloutState.Running, 1, UpgradeState.CommitIncomplete, UpgradeFailure.CommitIncomplete, MemberState.Failed)]
    [InlineData(MemberState.Undoing, RolloutState.RollingBack, 1, UpgradeState.Failed, UpgradeFailure.RollBackFailed, MemberState.UndoFailed)]
    [InlineData(MemberState.Running, RolloutState.Running, 2, UpgradeState.RolledBack, UpgradeFailure.Aborted, MemberState.Waiting)]
    [InlineData(MemberState.Running, RolloutState.Paused, 1, UpgradeState.RolledBack, UpgradeFailure.Aborted, MemberState.Waiting)]
    [InlineData(MemberState.Running, RolloutState.Stopping, 1, UpgradeState.RolledBack, UpgradeFailure.Aborted, MemberState.Skipped)]
    [InlineData(MemberState.Running, RolloutState.RollingBack, 1, UpgradeState.RolledBack, UpgradeFailure.Aborted, MemberState.Skipped)]
    [InlineData(MemberState.Undoing, RolloutState.Stopping, 1, UpgradeState.RolledBack, UpgradeFailure.Aborted, MemberState.UndoFailed)]
    public void Ends(MemberState member, RolloutState rollout, int attempt, UpgradeState end, UpgradeFailure failure, MemberState expected)
    {
        MemberOutcome outcome = MemberOutcome.Of(
            new RolloutMember { HostName = "h", GuestName = "g", State = member, Attempt = attempt }, rollout, Twice,
            new UpgradeEnd(end, failure, "because", DateTimeOffset.UnixEpoch));
        outcome.State.ShouldBe(expected);

        // Whoever failed for good is in quarantine, whoever tries again because of a failure waits first, and each says why.
        bool failed = expected is MemberState.Failed or MemberState.UndoFailed && failure != UpgradeFailure.Aborted;
        (outcome.Quarantine is not null).ShouldBe(failed);
        (outcome.NotBefore is not null).ShouldBe(expected is MemberState.Waiting or MemberState.UndoWaiting && failure is not (UpgradeFailure.None or UpgradeFailure.Aborted));
        (outcome.Why is not null || outcome.State is MemberState.Succeeded or MemberState.Undone or MemberState.Waiting or MemberState.UndoWaiting).ShouldBeTrue();
    }
}
