using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Rollouts;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Audit;

/// <summary>The newest acts, of one rollout or of everything, in the order in which they were done.</summary>
public sealed class ListAudit(FleetTransaction database)
{
    private const int DefaultLimit = 100;
    private const int HighestLimit = 10_000;

    public Task<Wire.ListAuditResponse> HandleAsync(Wire.ListAuditRequest request, CancellationToken cancellation) =>
        request.Limit > HighestLimit
            ? throw Refusal.Invalid([("limit", $"({request.Limit}) must be at most {HighestLimit}; 0 means {DefaultLimit}.")])
            : database.ReadAsync((db, stop) => ReadAsync(db, request, stop), cancellation);

    private static async Task<Wire.ListAuditResponse> ReadAsync(FleetDbContext db, Wire.ListAuditRequest request, CancellationToken cancellation)
    {
        Guid? rollout = request.Rollout.Length == 0 ? null : await ReadRollouts.FindAsync(db, request.Rollout, cancellation);
        List<AuditEntry> newest = await db.Audit.AsNoTracking().Where(entry => rollout == null || entry.RolloutId == rollout)
            .OrderByDescending(entry => entry.Id).Take(request.Limit == 0 ? DefaultLimit : (int)request.Limit).ToListAsync(cancellation);
        return new Wire.ListAuditResponse
        {
            Entries =
            {
                newest.OrderBy(entry => entry.Id).Select(entry => new Wire.AuditEntry
                {
                    At = Timestamp.FromDateTimeOffset(entry.At), Actor = entry.Actor, Act = entry.Act, Subject = entry.Subject, Detail = entry.Detail,
                }),
            },
        };
    }
}
