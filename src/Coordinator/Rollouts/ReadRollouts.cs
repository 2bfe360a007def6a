using System.Text.RegularExpressions;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Upgrades;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>One rollout with what each of its guests waits for, the newest rollouts, and one again after every change.</summary>
public sealed partial class ReadRollouts(
    FleetTransaction database, ChangeSignals signals, IOptions<DeliveryOptions> delivery, IOptions<UpgradeOptions> upgrades, TimeProvider time)
{
    private const int DefaultLimit = 50;
    private const int HighestLimit = 1000;

    public Task<Wire.Rollout> GetAsync(Wire.GetRolloutRequest request, CancellationToken cancellation) =>
        database.ReadAsync(async (db, stop) => await LoadAsync(db, await FindAsync(db, request.Rollout, stop), stop), cancellation);

    public Task<Wire.Rollout> GetAsync(Guid id, CancellationToken cancellation) =>
        database.ReadAsync((db, stop) => LoadAsync(db, id, stop), cancellation);

    public Task<Wire.Rollout> GetWithoutMembersAsync(Guid id, CancellationToken cancellation) =>
        database.ReadAsync(async (db, stop) =>
        {
            Wire.Rollout answer = await HeadAsync(db, await FindAsync(db, id, stop), stop);
            await AddGatesAndApprovalsAsync(db, answer, id, stop);
            return answer;
        }, cancellation);

    public Task<Wire.ListRolloutsResponse> ListAsync(Wire.ListRolloutsRequest request, CancellationToken cancellation) =>
        request.Limit > HighestLimit
            ? throw Refusal.Invalid([("limit", $"({request.Limit}) must be at most {HighestLimit}; 0 means {DefaultLimit}.")])
            : database.ReadAsync((db, stop) => ListAsync(db, request, stop), cancellation);

    public async Task WatchAsync(Wire.GetRolloutRequest request, IServerStreamWriter<Wire.Rollout> answers, CancellationToken cancellation)
    {
        Guid id = await database.ReadAsync((db, stop) => FindAsync(db, request.Rollout, stop), cancellation);
        using ChangeSignals.Watch watch = signals.WatchFor(id);
        Wire.Rollout? sent = null;
        while (true)
        {
            Wire.Rollout? rollout = await LoadIfReachableAsync(id, cancellation);
            if (rollout is not null && !rollout.Equals(sent))
            {
                await answers.WriteAsync(rollout, cancellation);
                sent = rollout;
            }

            if (rollout is { Ended: true })
            {
                return;
            }

            await watch.WaitAsync(delivery.Value.WatchInterval, time, cancellation);
        }
    }

    /// <summary>By name, UUID, or 8 digits or more of the UUID's beginning.</summary>
    internal static async Task<Guid> FindAsync(FleetDbContext db, string rollout, CancellationToken cancellation)
    {
        if (rollout.Length is 0 or > 128)
        {
            throw Refusal.Invalid([("rollout", "must be a rollout's name, its UUID, or 8 digits or more of the UUID's beginning.")]);
        }

        List<Guid> found = await db.Rollouts.Where(row => row.Name == rollout).Select(row => row.Id).ToListAsync(cancellation);
        if (found.Count == 0 && IdStart().IsMatch(rollout))
        {
            found = await db.Rollouts.Where(row => row.State != null && EF.Functions.Like(row.Id.ToString(), rollout + "%"))
                .Select(row => row.Id).Take(2).ToListAsync(cancellation);
        }

        return found.Count switch
        {
            0 => throw Refusal.NotFound($"Rollout '{rollout}' is not known; see `twinfleet rollout list`."),
            1 => found[0],
            _ => throw Refusal.Invalid([("rollout", $"{rollout} is the beginning of more than one rollout's id; give more of it.")]),
        };
    }

    private async Task<Wire.ListRolloutsResponse> ListAsync(FleetDbContext db, Wire.ListRolloutsRequest request, CancellationToken cancellation)
    {
        List<RolloutRecord> rows = await db.Rollouts.AsNoTracking()
            .Where(row => row.State != null && (!request.Open || row.FinishedAt == null))
            .OrderByDescending(row => row.CreatedAt).ThenBy(row => row.Id)
            .Take(request.Limit == 0 ? DefaultLimit : (int)request.Limit).ToListAsync(cancellation);
        Wire.ListRolloutsResponse answer = new();
        foreach (RolloutRecord row in rows)
        {
            answer.Rollouts.Add(await HeadAsync(db, row, cancellation));
        }

        return answer;
    }

    private static async Task<Wire.Rollout> HeadAsync(FleetDbContext db, RolloutRecord rollout, CancellationToken cancellation)
    {
        List<RolloutWave> waves = await db.RolloutWaves.AsNoTracking().Where(wave => wave.RolloutId == rollout.Id).OrderBy(wave => wave.Number).ToListAsync(cancellation);
        var counts = await db.RolloutMembers.AsNoTracking().Where(member => member.RolloutId == rollout.Id)
            .GroupBy(member => new { member.Wave, member.State })
            .Select(group => new { group.Key.Wave, group.Key.State, Count = group.Count() }).ToListAsync(cancellation);
        ImageRecord image = await db.Images.AsNoTracking().SingleAsync(row => row.Digest == rollout.ImageDigest, cancellation);
        return rollout.ToResponse(image, waves, counts.ToLookup(one => one.Wave, one => (one.State, one.Count)));
    }

    private async Task<Wire.Rollout> LoadAsync(FleetDbContext db, Guid id, CancellationToken cancellation)
    {
        RolloutRecord rollout = await FindAsync(db, id, cancellation);
        Wire.Rollout answer = await HeadAsync(db, rollout, cancellation);
        List<RolloutMember> members = await db.RolloutMembers.AsNoTracking().Where(member => member.RolloutId == id)
            .OrderBy(member => member.Position).ToListAsync(cancellation);
        Dictionary<Guid, UpgradeRecord> running = await db.Upgrades.AsNoTracking()
            .Where(upgrade => upgrade.RolloutId == id && upgrade.FinishedAt == null).ToDictionaryAsync(upgrade => upgrade.Id, cancellation);
        DateTimeOffset now = time.GetUtcNow();
        Dictionary<RolloutMember, string> turns = [];
        RolloutMember[] next = [.. members.Where(member => HasItsTurn(rollout, member))];
        if (next.Length > 0)
        {
            RolloutTurn turn = await RolloutTurn.OpenAsync(db, rollout, upgrades.Value, now, cancellation);
            AdmissionRound round = await RoundReader.ReadAsync(turn, next, cancellation);
            turns = round.Decide(next).ToDictionary(one => one.Member, one => one.Why);
        }

        answer.Members.Add(members.Select(member => member.ToResponse(MemberWhy.Sentence(
            rollout, member, member.UpgradeId is { } upgrade ? running.GetValueOrDefault(upgrade) : null, turns.GetValueOrDefault(member), now))));
        await AddGatesAndApprovalsAsync(db, answer, id, cancellation);
        return answer;
    }

    private static Task<RolloutRecord> FindAsync(FleetDbContext db, Guid id, CancellationToken cancellation) =>
        db.Rollouts.AsNoTracking().SingleAsync(row => row.Id == id, cancellation);

    private static async Task AddGatesAndApprovalsAsync(FleetDbContext db, Wire.Rollout answer, Guid id, CancellationToken cancellation)
    {
        answer.Gates.Add((await db.RolloutGates.AsNoTracking().Where(gate => gate.RolloutId == id)
            .OrderBy(gate => gate.Wave).ThenBy(gate => gate.Name).ToListAsync(cancellation)).Select(gate => gate.ToResponse()));
        answer.Approvals.Add((await db.RolloutApprovals.AsNoTracking().Where(approval => approval.RolloutId == id)
            .OrderBy(approval => approval.Id).ToListAsync(cancellation)).Select(approval => approval.ToResponse()));
    }

    private static bool HasItsTurn(RolloutRecord rollout, RolloutMember member) => rollout.State switch
    {
        RolloutState.Running => member.State == MemberState.UndoWaiting || (member.State == MemberState.Waiting && member.Wave == rollout.Wave),
        RolloutState.RollingBack => member.State == MemberState.UndoWaiting,
        _ => false,
    };

    /// <summary>Null while the database is away: who watches is told of the next change after it.</summary>
    private async Task<Wire.Rollout?> LoadIfReachableAsync(Guid id, CancellationToken cancellation)
    {
        try
        {
            return await GetAsync(id, cancellation);
        }
        catch (Exception e) when (FleetTransaction.IsDatabaseTrouble(e))
        {
            return null;
        }
    }

    [GeneratedRegex(@"\A[0-9a-f]{8}(-?[0-9a-f]{0,12}){0,4}\z")]
    private static partial Regex IdStart();
}
