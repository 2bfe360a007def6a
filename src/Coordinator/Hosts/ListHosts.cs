using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Coordinator.Data;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Hosts;

/// <summary>All hosts, by name.</summary>
public sealed class ListHosts(FleetTransaction database, TimeProvider time)
{
    public Task<Wire.ListHostsResponse> HandleAsync(CancellationToken cancellation) =>
        database.ReadAsync(ReadAsync, cancellation);

    private async Task<Wire.ListHostsResponse> ReadAsync(FleetDbContext db, CancellationToken cancellation)
    {
        var rows = await db.Hosts.AsNoTracking().OrderBy(host => host.Name)
            .Select(host => new
            {
                Host = host,
                Guests = db.Guests.Count(guest => guest.HostName == host.Name && guest.GoneAt == null),
            }).ToListAsync(cancellation);
        DateTimeOffset now = time.GetUtcNow();
        return new Wire.ListHostsResponse
        {
            Hosts =
            {
                rows.Select(row => new Wire.Host
                {
                    Name = row.Host.Name,
                    Online = row.Host.IsOnline(now),
                    LastSeen = Timestamp.FromDateTimeOffset(row.Host.LastSeen),
                    AgentVersion = row.Host.AgentVersion,
                    Accelerator = row.Host.Accelerator,
                    Guests = (uint)row.Guests,
                    Labels = { row.Host.Labels },
                }),
            },
        };
    }
}
