using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Hosts;

namespace TwinKernel.Fleet.Coordinator.Guests;

/// <summary>A guest as its host observed it, and the fencing epoch that the coordinator counts for it.</summary>
public sealed class GuestRecord
{
    public required string HostName { get; set; }
    public required string Name { get; set; }
    public GuestState State { get; set; }
    public required string ImageDigest { get; set; }
    public required string ServiceAddress { get; set; }

    /// <summary>The guest's own; <see cref="LabelColumn.Of"/> adds its host's.</summary>
    public Dictionary<string, string> Labels { get; set; } = [];

    /// <summary>Grows by one with every upgrade of the guest, whatever the guest's row goes through besides.</summary>
    public long Epoch { get; set; }

    /// <summary>Since when the host no longer reports the guest; null while it does.</summary>
    public DateTimeOffset? GoneAt { get; set; }

    /// <summary>Why no rollout takes the guest, until an operator releases it; null: rollouts may.</summary>
    public string? Quarantine { get; set; }

    /// <summary>When the guest was seen as the following members say, on the host's wall clock; null when it never was, or has not run since.</summary>
    public DateTimeOffset? ObservedAt { get; set; }
    public string? KernelRelease { get; set; }
    public string? BootId { get; set; }
    public bool HasParent { get; set; }
    public int CpusOnline { get; set; }
    public int CpusPresent { get; set; }
    public long MemoryBytes { get; set; }
    public long MachineMemoryBytes { get; set; }
    public long MachineMemoryOwnedBytes { get; set; }

    /// <summary>
    /// Takes in what the host saw, unless something later is known: heartbeats and results of steps come by different ways. Null: the guest
    /// does not run. A clock that was set back by more than <see cref="ClockPatience"/> starts anew. What was seen again less than
    /// <see cref="Repeated"/> later is not noted.
    /// </summary>
    public void Observe(GuestObservation? seen)
    {
        DateTimeOffset? at = seen?.ObservedAt.ToUniversalTime();
        if (at < ObservedAt && ObservedAt - at < ClockPatience)
        {
            return;
        }

        // Thousands of guests are observed every few seconds, and few of them change.
        if (seen is not null && at - ObservedAt is { } since && since >= TimeSpan.Zero && since < Repeated && IsAsKnown(seen))
        {
            return;
        }

        ObservedAt = at;
        KernelRelease = seen?.KernelRelease;
        BootId = seen?.BootId;
        HasParent = seen?.HasParent ?? false;
        CpusOnline = seen?.CpusOnline ?? 0;
        CpusPresent = seen?.CpusPresent ?? 0;
        MemoryBytes = seen?.MemoryBytes ?? 0;
        MachineMemoryBytes = seen?.MachineMemoryBytes ?? 0;
        MachineMemoryOwnedBytes = seen?.MachineMemoryOwnedBytes ?? 0;
    }

    /// <summary>Holds the rows until the end of the transaction, taken in one order everywhere. Those that there are not are left out.</summary>
    internal static async Task<Dictionary<GuestId, GuestRecord>> LockAsync(FleetDbContext db, IEnumerable<GuestId> guests, CancellationToken cancellation)
    {
        GuestId[] wanted = [.. guests.Distinct()];
        string[] hosts = [.. wanted.Select(guest => guest.Host)];
        string[] names = [.. wanted.Select(guest => guest.Name)];
        return wanted.Length == 0
            ? []
            : await db.Guests.FromSql(
                $"""
                 select guests.* from guests join unnest({hosts}, {names}) as wanted (host, guest) on host = host_name and guest = name
                 order by host_name, name for update of guests
                 """).ToDictionaryAsync(guest => new GuestId(guest.HostName, guest.Name), cancellation);
    }

    private bool IsAsKnown(GuestObservation seen) =>
        (KernelRelease, BootId, HasParent, CpusOnline, CpusPresent, MemoryBytes, MachineMemoryBytes, MachineMemoryOwnedBytes)
        == (seen.KernelRelease, seen.BootId, seen.HasParent, seen.CpusOnline, seen.CpusPresent, seen.MemoryBytes, seen.MachineMemoryBytes, seen.MachineMemoryOwnedBytes);

    private static readonly TimeSpan ClockPatience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Repeated = TimeSpan.FromSeconds(30);

    internal sealed class Map : IEntityTypeConfiguration<GuestRecord>
    {
        public void Configure(EntityTypeBuilder<GuestRecord> table)
        {
            table.ToTable("guests");
            table.HasKey(guest => new { guest.HostName, guest.Name });
            table.Property(guest => guest.Labels).IsLabels();
            table.HasOne<HostRecord>().WithMany().HasForeignKey(guest => guest.HostName).OnDelete(DeleteBehavior.Restrict);
        }
    }
}
