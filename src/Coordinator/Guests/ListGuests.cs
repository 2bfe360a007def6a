using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Requests;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Guests;

/// <summary>The guests of one host, or of all, that are still there.</summary>
public sealed class ListGuests(FleetTransaction database)
{
    public Task<Wire.ListGuestsResponse> HandleAsync(Wire.ListGuestsRequest request, CancellationToken cancellation) =>
        database.ReadAsync((db, stop) => ReadAsync(db, request, stop), cancellation);

    private static async Task<Wire.ListGuestsResponse> ReadAsync(
        FleetDbContext db, Wire.ListGuestsRequest request, CancellationToken cancellation)
    {
        if (request.Host.Length > 0 && !await db.Hosts.AnyAsync(host => host.Name == request.Host, cancellation))
        {
            throw Refusal.UnknownHost(request.Host);
        }

        var rows = await db.Guests.AsNoTracking()
            .Where(guest => guest.GoneAt == null && (request.Host == "" || guest.HostName == request.Host))
            .OrderBy(guest => guest.HostName).ThenBy(guest => guest.Name)
            .Select(guest => new
            {
                Guest = guest,
                Host = db.Hosts.Single(host => host.Name == guest.HostName),
                Active = db.Upgrades
                    .Where(upgrade => upgrade.HostName == guest.HostName && upgrade.GuestName == guest.Name && upgrade.FinishedAt == null)
                    .Select(upgrade => (Guid?)upgrade.Id).FirstOrDefault(),
            }).ToListAsync(cancellation);
        return new Wire.ListGuestsResponse { Guests = { rows.Select(row => ToResponse(row.Host, row.Guest, row.Active)) } };
    }

    internal static Wire.Guest ToResponse(HostRecord host, GuestRecord guest, Guid? activeUpgrade) => new()
    {
        Name = guest.Name,
        Host = guest.HostName,
        State = Word(guest.State),
        KernelRelease = guest.KernelRelease ?? "",
        BootId = guest.BootId ?? "",
        Image = guest.ImageDigest,
        CpusOnline = (uint)guest.CpusOnline,
        CpusPresent = (uint)guest.CpusPresent,
        MemoryBytes = (ulong)guest.MemoryBytes,
        ActiveUpgrade = activeUpgrade?.ToString() ?? "",
        Address = guest.ServiceAddress,
        Labels = { LabelColumn.Of(host, guest.Name, guest.Labels) },
        Quarantine = guest.Quarantine ?? "",
    };

    private static string Word(GuestState state) => state switch
    {
        GuestState.Starting => "starting",
        GuestState.Running => "running",
        GuestState.Stopped => "stopped",
        GuestState.Unreachable => "unreachable",
        _ => "unknown",
    };
}
