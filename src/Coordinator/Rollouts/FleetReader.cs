using Microsoft.EntityFrameworkCore;
using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Control;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>The fleet as the planner and the limits see it, read from the tables.</summary>
internal static class FleetReader
{
    /// <summary>Upgrades that a prediction is made of, the newest.</summary>
    private const int SeenMost = 500;

    /// <param name="db">The tables.</param>
    /// <param name="image">The image that is to be rolled out.</param>
    /// <param name="self">The rollout for which it is read: what it holds itself is not held by another.</param>
    /// <param name="now">The coordinator's wall clock.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<FleetSnapshot> ReadAsync(FleetDbContext db, ImageRecord image, Guid? self, DateTimeOffset now, CancellationToken cancellation)
    {
        FleetControl control = await db.FleetControl.AsNoTracking().SingleAsync(cancellation);
        Dictionary<string, HostRecord> hosts = await db.Hosts.AsNoTracking().ToDictionaryAsync(host => host.Name, cancellation);
        HashSet<string> holders = [.. await db.HostImages.Where(held => held.Digest == image.Digest).Select(held => held.HostName).ToListAsync(cancellation)];
        Dictionary<GuestId, string> heldBy = await HeldAsync(db, self, cancellation);
        var seen = await db.Upgrades.AsNoTracking()
            .Where(upgrade => upgrade.State == UpgradeState.Completed)
            .OrderByDescending(upgrade => upgrade.FinishedAt).Take(SeenMost)
            .Select(upgrade => new { upgrade.HostName, upgrade.GuestName, upgrade.CreatedAt, upgrade.FinishedAt })
            .ToListAsync(cancellation);
        ILookup<GuestId, Duration> seenOf = seen.ToLookup(
            one => new GuestId(one.HostName, one.GuestName), one => Duration.FromTimeSpan(one.FinishedAt!.Value - one.CreatedAt));
        List<long?> rollbacks = await db.UpgradeSteps.AsNoTracking()
            .Where(step => step.Step == UpgradeStep.RollBack && step.State == Timings.StepOutcome.Succeeded)
            .OrderByDescending(step => step.FinishedAt).Take(SeenMost)
            .Select(step => step.DurationNs).ToListAsync(cancellation);
        // Only what is needed: this is read for every turn of a rollout, and of every guest there is.
        var guests = await db.Guests.AsNoTracking().Where(guest => guest.GoneAt == null)
            .Select(guest => new { guest.HostName, guest.Name, guest.Labels, guest.State, guest.ImageDigest, guest.KernelRelease, guest.CpusPresent, guest.Quarantine })
            .ToListAsync(cancellation);
        return new FleetSnapshot
        {
            Image = new ImageSnapshot { Digest = image.Digest, Name = image.Name, KernelRelease = image.KernelRelease, State = image.State },
            Limits = control.ReadLimits(),
            Calendars = control.ReadCalendars(),
            SeenUpgrades = [.. seenOf.SelectMany(one => one)],
            SeenRollbacks = [.. rollbacks.OfType<long>().Select(nanoseconds => Duration.FromNanoseconds(nanoseconds))],
            Guests =
            [
                .. guests.Select(guest =>
                {
                    HostRecord host = hosts[guest.HostName];
                    GuestId id = new(guest.HostName, guest.Name);
                    bool online = host.IsOnline(now);
                    return new GuestSnapshot
                    {
                        Id = id,
                        Labels = LabelColumn.Of(host, guest.Name, guest.Labels),
                        State = guest.State,
                        HostOnline = online,
                        HostHasImage = holders.Contains(guest.HostName),
                        Healthy = online && guest.State == GuestState.Running,
                        ImageDigest = guest.ImageDigest,
                        KernelRelease = guest.KernelRelease,
                        CpusPresent = guest.CpusPresent,
                        HeldBy = heldBy.GetValueOrDefault(id),
                        Quarantine = guest.Quarantine,
                        SeenUpgrades = [.. seenOf[id]],
                    };
                }).OrderBy(guest => guest.Id),
            ],
        };
    }

    /// <summary>What holds which guest: another rollout by its name, or a single upgrade by its id.</summary>
    private static async Task<Dictionary<GuestId, string>> HeldAsync(FleetDbContext db, Guid? self, CancellationToken cancellation)
    {
        var single = await db.Upgrades.AsNoTracking().Where(upgrade => upgrade.FinishedAt == null && upgrade.RolloutId != self)
            .Select(upgrade => new { upgrade.HostName, upgrade.GuestName, upgrade.Id }).ToListAsync(cancellation);
        Dictionary<GuestId, string> held = single.ToDictionary(one => new GuestId(one.HostName, one.GuestName), one => $"upgrade {one.Id}");
        var members = await db.RolloutMembers.AsNoTracking().Where(member => member.Held && member.RolloutId != self)
            .Join(db.Rollouts, member => member.RolloutId, rollout => rollout.Id, (member, rollout) => new { member.HostName, member.GuestName, rollout.Name })
            .ToListAsync(cancellation);
        foreach (var member in members)
        {
            held[new GuestId(member.HostName, member.GuestName)] = $"rollout {member.Name}";
        }

        return held;
    }

    /// <summary>
    /// Guests that count as running against limits: with an active upgrade, but for those whose lease has run out; and with a lease, whose
    /// upgrade may have ended, but not yet been taken in, so that nobody takes the place of a failure that nobody has judged.
    /// </summary>
    public static async Task<HashSet<GuestId>> RunningAsync(FleetDbContext db, DateTimeOffset now, CancellationToken cancellation)
    {
        var running = await db.Upgrades.AsNoTracking()
            .Where(upgrade => upgrade.FinishedAt == null
                && !db.AdmissionLeases.Any(lease => lease.UpgradeId == upgrade.Id && lease.ExpiresAt <= now))
            .Select(upgrade => new { upgrade.HostName, upgrade.GuestName })
            .Union(db.AdmissionLeases.Where(lease => lease.ExpiresAt > now).Select(lease => new { lease.HostName, lease.GuestName }))
            .ToListAsync(cancellation);
        return [.. running.Select(one => new GuestId(one.HostName, one.GuestName))];
    }
}
