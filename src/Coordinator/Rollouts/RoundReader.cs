using Microsoft.EntityFrameworkCore;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Control;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>Reads what a round of admission depends on.</summary>
internal static class RoundReader
{
    public static async Task<AdmissionRound> ReadAsync(RolloutTurn turn, IReadOnlyList<RolloutMember> members, CancellationToken cancellation)
    {
        Guid id = turn.Rollout.Id;
        FleetControl control = await turn.Db.FleetControl.AsNoTracking().SingleAsync(cancellation);
        ImageRecord image = await turn.Db.Images.AsNoTracking().SingleAsync(row => row.Digest == turn.Rollout.ImageDigest, cancellation);
        var wave = await turn.Db.RolloutMembers.AsNoTracking().Where(member => member.RolloutId == id && member.Wave == turn.Rollout.Wave)
            .Select(member => new { member.HostName, member.GuestName }).ToListAsync(cancellation);
        string[] back = [.. members.Where(member => member.State == MemberState.UndoWaiting).Select(member => member.ImageBefore).OfType<string>().Distinct()];
        List<HostImageRecord> held = back.Length == 0
            ? []
            : await turn.Db.HostImages.AsNoTracking().Where(one => back.Contains(one.Digest)).ToListAsync(cancellation);
        return new AdmissionRound
        {
            Rollout = turn.Rollout,
            Order = turn.Order,
            Rule = turn.Rule,
            Fleet = await FleetReader.ReadAsync(turn.Db, image, id, turn.Now, cancellation),
            Wave = [.. wave.Select(one => new GuestId(one.HostName, one.GuestName))],
            Running = await FleetReader.RunningAsync(turn.Db, turn.Now, cancellation),
            Held = held.Select(one => (one.HostName, one.Digest)).ToHashSet(),
            Stopped = control.StoppedAt is null ? null : control.Sentence,
            Now = Instant.FromDateTimeOffset(turn.Now),
        };
    }
}
