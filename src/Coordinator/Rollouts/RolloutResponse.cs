using Google.Protobuf.WellKnownTypes;
using TwinKernel.Fleet.Coordinator.Images;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

internal static class RolloutResponse
{
    public static Wire.Rollout ToResponse(
        this RolloutRecord rollout, ImageRecord image, IEnumerable<RolloutWave> waves, ILookup<int, (MemberState State, int Count)> counts)
    {
        Wire.Rollout answer = new()
        {
            Id = rollout.Id.ToString(),
            Name = rollout.Name,
            Image = image.Digest,
            ImageName = image.Name,
            State = rollout.State.ToString(),
            Ended = rollout.Situation.Ended,
            Succeeded = rollout.State == RolloutState.Completed
                && !counts.Any(wave => wave.Any(one => one.State is MemberState.Failed or MemberState.UndoFailed)),
            Wave = (uint)rollout.Wave,
            Reason = rollout.Reason ?? "",
            WaitsFor = MemberWhy.Sentence(rollout),
            PlanHash = rollout.PlanHash,
            CreatedBy = rollout.CreatedBy,
            Created = Timestamp.FromDateTimeOffset(rollout.CreatedAt),
            Started = At(rollout.StartedAt),
            Finished = At(rollout.FinishedAt),
            Definition = rollout.Definition,
        };
        foreach (RolloutWave wave in waves)
        {
            Wire.RolloutWave row = new()
            {
                Number = (uint)wave.Number,
                Name = wave.Name,
                Guests = (uint)wave.Guests,
                Started = At(wave.StartedAt),
                Ended = At(wave.EndedAt),
            };
            foreach ((MemberState state, int count) in counts[wave.Number])
            {
                row.States[state.ToString()] = (uint)count;
            }

            answer.Waves.Add(row);
        }

        return answer;
    }

    public static Wire.RolloutMember ToResponse(this RolloutMember member, string why) => new()
    {
        Host = member.HostName,
        Guest = member.GuestName,
        Wave = (uint)member.Wave,
        State = member.State.ToString(),
        Attempt = (uint)member.Attempt,
        Upgrade = member.UpgradeId?.ToString() ?? "",
        Why = why,
    };

    public static Wire.RolloutGate ToResponse(this RolloutGate gate) => new()
    {
        Wave = (uint)gate.Wave,
        Name = gate.Name,
        State = gate.State.ToString(),
        Why = gate.Why ?? "",
        Answers = { gate.ReadAnswers().Select(answer => $"{answer.Outcome}: {answer.Detail}") },
    };

    public static Wire.RolloutApproval ToResponse(this RolloutApproval approval) => new()
    {
        PlanHash = approval.PlanHash,
        ApprovedBy = approval.ApprovedBy,
        Approved = Timestamp.FromDateTimeOffset(approval.ApprovedAt),
        Expires = Timestamp.FromDateTimeOffset(approval.ExpiresAt),
    };

    private static Timestamp? At(DateTimeOffset? moment) => moment is { } at ? Timestamp.FromDateTimeOffset(at) : null;
}
