using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>The gates behind waves: about all guests that the wave upgraded.</summary>
internal sealed class WaveGates(IOptions<UpgradeOptions> upgrades, TimeProvider time) : IGateSource
{
    private sealed record Claim(Guid Rollout, int Wave, GateSpec Gate, IReadOnlyList<GuestId> Guests)
        : GateClaim(Gate, Guests, $"after wave {Wave} of rollout {Rollout}");

    public async Task<GateClaim?> ClaimAsync(FleetDbContext db, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        List<RolloutGate> due = await db.RolloutGates.FromSql(
            $"""
             select * from rollout_gates gate
             where ask_at <= {now} and (asking_until is null or asking_until <= {now})
               and exists (select 1 from rollouts where id = gate.rollout_id and state = 'Gating' and wave = gate.wave)
             order by ask_at
             limit 1
             for update skip locked
             """).ToListAsync(cancellation);
        if (due is not [RolloutGate gate])
        {
            return null;
        }

        RolloutTurn turn = await RolloutTurn.OpenAsync(
            db, await db.Rollouts.SingleAsync(row => row.Id == gate.RolloutId, cancellation), upgrades.Value, now, cancellation);
        if (turn.Gates.FirstOrDefault(one => one.Name == gate.Name) is not { } spec)
        {
            db.RolloutGates.Remove(gate);
            return null;
        }

        gate.AskingUntil = now + spec.Timeout.ToTimeSpan() + IGateSource.Grace;
        var guests = await db.RolloutMembers.AsNoTracking()
            .Where(member => member.RolloutId == gate.RolloutId && member.Wave == gate.Wave && member.State == MemberState.Succeeded)
            .OrderBy(member => member.Position).Select(member => new { member.HostName, member.GuestName }).ToListAsync(cancellation);
        return new Claim(gate.RolloutId, gate.Wave, spec, [.. guests.Select(one => new GuestId(one.HostName, one.GuestName))]);
    }

    public async Task<GateVerdict?> RecordAsync(FleetDbContext db, GateClaim claim, GateAnswer answer, CancellationToken cancellation)
    {
        (Guid rollout, int wave, GateSpec spec, _) = (Claim)claim;
        // The rollout first, as everybody else: its driver waits for the answer's commit.
        await db.Rollouts.FromSql($"select *, xmin from rollouts where id = {rollout} for update").LoadAsync(cancellation);
        RolloutGate? gate = await db.RolloutGates
            .FromSql($"select * from rollout_gates where rollout_id = {rollout} and wave = {wave} and name = {spec.Name} for update")
            .SingleOrDefaultAsync(cancellation);
        if (gate is null)
        {
            return null;
        }

        GateVerdict verdict = gate.Take(spec, answer);
        if (verdict.State != GateState.Ask)
        {
            db.Note(answer.At.ToDateTimeOffset(), AuditEntry.Service, "gate", $"{spec.Name} after wave {wave}", $"{verdict.State}: {answer.Outcome}: {answer.Detail}", rollout);
        }

        return verdict;
    }
}
