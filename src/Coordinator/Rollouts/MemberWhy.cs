using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>"Why is this guest waiting?", of every guest of a rollout: one sentence.</summary>
internal static class MemberWhy
{
    /// <param name="rollout">The guest's rollout.</param>
    /// <param name="member">The guest.</param>
    /// <param name="running">Its active upgrade; null: it has none.</param>
    /// <param name="turn">What the round of admission says of it; null: it is not its turn; empty: it begins now.</param>
    /// <param name="now">The coordinator's wall clock.</param>
    public static string Sentence(RolloutRecord rollout, RolloutMember member, UpgradeRecord? running, string? turn, DateTimeOffset now) => member.State switch
    {
        MemberState.Running or MemberState.Undoing => running is null ? "Its upgrade has just ended." : WaitsFor.Sentence(running, now),
        MemberState.Succeeded => "It runs the image.",
        MemberState.Undone when member.Why is null => "It runs the image it came from.",
        MemberState.Waiting or MemberState.UndoWaiting when turn is not null =>
            turn.Length == 0 ? "It begins at once." : $"Waits: {turn}.",
        MemberState.Waiting => Waiting(rollout, member),
        _ => member.Why is { } why ? $"{member.State}: {why}." : $"{member.State}.",
    };

    /// <summary>What a rollout as a whole waits for; empty when it has ended.</summary>
    public static string Sentence(RolloutRecord rollout) => rollout.State switch
    {
        RolloutState.AwaitingApproval => $"Waits for another person than {rollout.CreatedBy} to approve plan {rollout.PlanHash}.",
        RolloutState.Ready => rollout.DeadlineAt is { } expires
            ? $"Waits to be started; the approval expires at {expires:u}." : "Waits to be started.",
        RolloutState.Running => $"Wave {rollout.Wave} of {rollout.Waves} is under way.",
        RolloutState.WaitingForWindow => Because(rollout, "Waits for a window"),
        RolloutState.Settling => $"Wave {rollout.Wave} of {rollout.Waves} settles until {rollout.DeadlineAt:u}.",
        RolloutState.Gating => $"Waits for the gates after wave {rollout.Wave} of {rollout.Waves}.",
        RolloutState.AwaitingPromotion => $"Wave {rollout.Wave} of {rollout.Waves} is good; waits for a person to promote it.",
        RolloutState.Paused => Because(rollout, "Is paused"),
        RolloutState.RollingBack => Because(rollout, "Brings guests back to the image they came from"),
        RolloutState.Stopping => Because(rollout, "Ends when the guests that run have ended"),
        _ => "",
    };

    private static string Waiting(RolloutRecord rollout, RolloutMember member) =>
        rollout.State is RolloutState.AwaitingApproval or RolloutState.Ready || member.Wave == rollout.Wave
            ? Sentence(rollout)
            : $"Waits for wave {member.Wave}. {Sentence(rollout)}";

    private static string Because(RolloutRecord rollout, string what) => rollout.Reason is { } reason ? $"{what}: {reason}." : $"{what}.";
}
