using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Rollouts;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>Begins one upgrade of one guest: its row, the guest's next epoch and the first command, in the caller's transaction.</summary>
internal static class AdmitUpgrade
{
    /// <param name="db">Tracks <paramref name="guest"/>, whose row the caller has locked.</param>
    /// <param name="rollout">What the upgrade belongs to, and how it is done.</param>
    /// <param name="image">Where it leads.</param>
    /// <param name="guest">The guest, which has no active upgrade.</param>
    /// <param name="gates">Those inside an upgrade are the upgrade's; others are left out.</param>
    /// <param name="options">Times and limits.</param>
    /// <param name="now">The coordinator's wall clock.</param>
    public static UpgradeRecord Begin(
        FleetDbContext db, RolloutRecord rollout, ImageRecord image, GuestRecord guest, IReadOnlyList<GateSpec> gates, UpgradeOptions options, DateTimeOffset now)
    {
        guest.Epoch++;
        UpgradeRecord upgrade = new()
        {
            // Not version 7: people type the beginning of it, and the beginnings must differ.
            Id = Guid.NewGuid(),
            RolloutId = rollout.Id,
            HostName = guest.HostName,
            GuestName = guest.Name,
            ImageDigest = image.Digest,
            ImageName = image.Name,
            Epoch = guest.Epoch,
            State = UpgradeState.Admitted,
            Strategy = rollout.Strategy,
            RequireSignature = rollout.RequireSignature,
            OnPanic = rollout.OnPanic,
            CreatedAt = now,
            ChangedAt = now,
            KernelReleaseBefore = guest.KernelRelease,
            BootIdBefore = guest.BootId,
            StandbyGateTime = UpgradeGate.TimeOf(gates, GatePoint.Standby),
            ProbationGateTime = UpgradeGate.TimeOf(gates, GatePoint.Probation),
        };
        upgrade.Gates.AddRange(gates.Where(gate => gate.Point != GatePoint.AfterWave).Select(UpgradeGate.Of));
        db.Upgrades.Add(upgrade);
        UpgradeJournal.Apply(db, upgrade, new UpgradeEvent.Started(), options, now);
        return upgrade;
    }
}
