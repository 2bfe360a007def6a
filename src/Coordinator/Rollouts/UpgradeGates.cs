using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>The gates inside upgrades, at standby and in the probation: about one guest. Their upgrade waits for them in the phase Gating.</summary>
internal sealed class UpgradeGates(IOptions<UpgradeOptions> options, TimeProvider time) : IGateSource
{
    private sealed record Claim(Guid Upgrade, GatePoint Point, GateSpec Gate, GuestId Guest)
        : GateClaim(Gate, [Guest], $"of upgrade {Upgrade} ({Point})");

    public async Task<GateClaim?> ClaimAsync(FleetDbContext db, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        List<UpgradeGate> due = await db.UpgradeGates.FromSql(
            $"""
             select gate.* from upgrade_gates gate join upgrades upgrade on upgrade.id = gate.upgrade_id
             where upgrade.finished_at is null and upgrade.phase = 'Gating' and gate.state = 'Ask'
               and gate.point = case upgrade.state when 'Transfer' then 'Standby' else 'Probation' end
               and (gate.ask_at is null or gate.ask_at <= {now}) and (gate.asking_until is null or gate.asking_until <= {now})
             order by gate.ask_at nulls first
             limit 1
             for update of gate skip locked
             """).ToListAsync(cancellation);
        if (due is not [UpgradeGate gate])
        {
            return null;
        }

        GateSpec spec = gate.ReadDefinition();
        gate.BegunAt ??= now;
        gate.AskAt ??= now;
        gate.AskingUntil = now + spec.Timeout.ToTimeSpan() + IGateSource.Grace;
        var guest = await db.Upgrades.AsNoTracking().Where(upgrade => upgrade.Id == gate.UpgradeId)
            .Select(upgrade => new { upgrade.HostName, upgrade.GuestName }).SingleAsync(cancellation);
        return new Claim(gate.UpgradeId, gate.Point, spec, new GuestId(guest.HostName, guest.GuestName));
    }

    public async Task<GateVerdict?> RecordAsync(FleetDbContext db, GateClaim claim, GateAnswer answer, CancellationToken cancellation)
    {
        (Guid id, GatePoint point, GateSpec spec, _) = (Claim)claim;
        // Locked: of two gates that pass at the same time, the later one must see the earlier.
        await db.Database.ExecuteSqlAsync($"select 1 from upgrades where id = {id} for update", cancellation);
        UpgradeRecord upgrade = await db.Upgrades.Include(row => row.Gates).Include(row => row.Steps).ThenInclude(step => step.Timings)
            .AsSplitQuery().SingleAsync(row => row.Id == id, cancellation);
        List<UpgradeGate> here = upgrade.Gates.FindAll(one => one.Point == point);
        UpgradeGate gate = here.Single(one => one.Name == spec.Name);
        if (upgrade.Phase != StepPhase.Gating || upgrade.Situation.Step != gate.Guarded || gate.State != GateState.Ask)
        {
            return null;
        }

        GateVerdict verdict = gate.Take(spec, answer);
        DateTimeOffset now = answer.At.ToDateTimeOffset();
        // Seen by who watches the upgrade.
        (upgrade.Progress, upgrade.ChangedAt) = (verdict.Why.Length > 0 ? verdict.Why : $"Gate '{spec.Name}' has passed.", now);
        if (verdict.State != GateState.Ask)
        {
            db.Note(now, AuditEntry.Service, "gate", $"{spec.Name} of {upgrade.HostName}/{upgrade.GuestName}, {point}",
                $"{verdict.State}: {answer.Outcome}: {answer.Detail}", upgrade.RolloutId);
        }

        if (verdict.State == GateState.Stopped)
        {
            UpgradeJournal.Apply(db, upgrade, new UpgradeEvent.GateStopped(gate.Guarded, $"{verdict.Why.TrimEnd('.')} ({point})"), options.Value, now);
        }
        else if (here.TrueForAll(one => one.State == GateState.Passed))
        {
            UpgradeJournal.Apply(db, upgrade, new UpgradeEvent.GatesPassed(gate.Guarded), options.Value, now);
        }

        return verdict;
    }
}
