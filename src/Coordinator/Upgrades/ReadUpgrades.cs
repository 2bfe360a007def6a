using System.Text.RegularExpressions;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Requests;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>One upgrade, the newest upgrades, and one upgrade again after every change.</summary>
public sealed partial class ReadUpgrades(
    FleetTransaction database, ChangeSignals signals, IOptions<DeliveryOptions> options, TimeProvider time)
{
    private const int DefaultLimit = 50;
    private const int HighestLimit = 1000;

    public Task<Wire.Upgrade> GetAsync(Wire.GetUpgradeRequest request, CancellationToken cancellation) =>
        database.ReadAsync(async (db, stop) =>
        {
            Guid id = await FindAsync(db, request.Id, stop);
            return (await LoadAsync(db, id, stop)).ToResponse(time.GetUtcNow());
        }, cancellation);

    public Task<Wire.ListUpgradesResponse> ListAsync(Wire.ListUpgradesRequest request, CancellationToken cancellation) =>
        database.ReadAsync((db, stop) => ListAsync(db, request, stop), cancellation);

    private async Task<Wire.ListUpgradesResponse> ListAsync(
        FleetDbContext db, Wire.ListUpgradesRequest request, CancellationToken cancellation)
    {
        if (request.Limit > HighestLimit)
        {
            throw Refusal.Invalid([("limit", $"({request.Limit}) must be at most {HighestLimit}; 0 means {DefaultLimit}.")]);
        }

        if (request.Host.Length > 0 && !await db.Hosts.AnyAsync(host => host.Name == request.Host, cancellation))
        {
            throw Refusal.UnknownHost(request.Host);
        }

        List<UpgradeRecord> rows = await db.Upgrades.AsNoTracking().AsSplitQuery()
            .Include(row => row.Gates).Include(row => row.Steps).ThenInclude(step => step.Timings)
            .Where(row => request.Host == "" || row.HostName == request.Host)
            .OrderByDescending(row => row.CreatedAt).ThenBy(row => row.Id)
            .Take(request.Limit == 0 ? DefaultLimit : (int)request.Limit)
            .ToListAsync(cancellation);
        DateTimeOffset now = time.GetUtcNow();
        return new Wire.ListUpgradesResponse { Upgrades = { rows.Select(row => row.ToResponse(now)) } };
    }

    public async Task WatchAsync(
        Wire.GetUpgradeRequest request, IServerStreamWriter<Wire.Upgrade> answers, CancellationToken cancellation)
    {
        Guid id = await database.ReadAsync((db, stop) => FindAsync(db, request.Id, stop), cancellation);
        using ChangeSignals.Watch watch = signals.WatchFor(id);
        uint? sent = null;
        while (true)
        {
            UpgradeRecord? upgrade = await LoadIfReachableAsync(id, cancellation);
            if (upgrade is not null && upgrade.Version != sent)
            {
                await answers.WriteAsync(upgrade.ToResponse(time.GetUtcNow()), cancellation);
                sent = upgrade.Version;
            }

            if (upgrade is { Situation.Ended: true })
            {
                return;
            }

            await watch.WaitAsync(options.Value.WatchInterval, time, cancellation);
        }
    }

    /// <summary>Null while the database is away: who watches is told of the next change after it.</summary>
    private async Task<UpgradeRecord?> LoadIfReachableAsync(Guid id, CancellationToken cancellation)
    {
        try
        {
            return await database.ReadAsync((db, stop) => LoadAsync(db, id, stop), cancellation);
        }
        catch (Exception e) when (FleetTransaction.IsDatabaseTrouble(e))
        {
            return null;
        }
    }

    private static Task<UpgradeRecord> LoadAsync(FleetDbContext db, Guid id, CancellationToken cancellation) =>
        db.Upgrades.AsNoTracking().AsSingleQuery()
            .Include(row => row.Gates).Include(row => row.Steps).ThenInclude(step => step.Timings)
            .SingleAsync(row => row.Id == id, cancellation);

    private static async Task<Guid> FindAsync(FleetDbContext db, string id, CancellationToken cancellation)
    {
#pragma warning disable CA1308 // PostgreSQL writes a uuid in lower case.
        string start = id.ToLowerInvariant();
#pragma warning restore CA1308
        if (!IdStart().IsMatch(start))
        {
            throw Refusal.Invalid([("id", "must be an upgrade's UUID, or 8 digits or more of its beginning.")]);
        }

        List<Guid> found = await db.Upgrades.Where(row => EF.Functions.Like(row.Id.ToString(), start + "%"))
            .Select(row => row.Id).Take(2).ToListAsync(cancellation);
        return found.Count switch
        {
            0 => throw Refusal.NotFound($"No upgrade has the id {id}; see `twinfleet upgrade list`."),
            1 => found[0],
            _ => throw Refusal.Invalid([("id", $"{id} is the beginning of more than one upgrade's id; give more of it.")]),
        };
    }

    [GeneratedRegex(@"\A[0-9a-f]{8}(-?[0-9a-f]{0,12}){0,4}\z")]
    private static partial Regex IdStart();
}
