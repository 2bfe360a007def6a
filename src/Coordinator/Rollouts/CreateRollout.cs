using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Control;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Upgrades;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// Makes a rollout of the plan as it is now: the rollout, its waves and its members, which it holds from then on. All or nothing;
/// a second call with the same request id answers with what the first one made.
/// </summary>
public sealed partial class CreateRollout(
    FleetTransaction transactions, ReadRollouts read, IOptions<UpgradeOptions> upgrades, TimeProvider time, ILogger<CreateRollout> logger)
{
    public async Task<Wire.Rollout> HandleAsync(Wire.CreateRolloutRequest request, CancellationToken cancellation)
    {
        List<(string Field, string Message)> wrong = [];
        ActorName.Check(request.Actor, wrong);
        if (!Guid.TryParse(request.RequestId, out Guid requestId) || requestId == Guid.Empty)
        {
            wrong.Add(("request_id", "must be a UUID, a new one for every new request."));
        }

        List<Violation> violations = [.. wrong.Select(one => new Violation(one.Field, one.Message))];
        (Guid id, bool made) = await transactions.RunAsync((db, stop) => WriteAsync(db, request, requestId, [.. violations], stop), cancellation);
        Wire.Rollout rollout = await read.GetAsync(id, cancellation);
        if (made)
        {
            Log.Made(logger, rollout.Name, rollout.Waves.Count, rollout.Members.Count, rollout.Image, request.Actor);
        }

        return rollout;
    }

    /// <summary>In the caller's transaction; nothing is written when it refuses.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT with everything that is wrong.</exception>
    internal async Task<(Guid Id, bool Made)> WriteAsync(
        FleetDbContext db, Wire.CreateRolloutRequest request, Guid requestId, List<Violation> violations, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        // One at a time: two that want the same guests see each other.
        await FleetControl.LockAsync(db, cancellation);
        if (await db.Rollouts.AsNoTracking().SingleOrDefaultAsync(row => row.RequestId == requestId, cancellation) is { } earlier)
        {
            return earlier.Kind == RolloutKind.Waves && RolloutOrder.Read(request.Definition, []) is { } same && same.Name == earlier.Name
                ? (earlier.Id, false)
                : throw Refusal.Invalid([("request_id", "was used for another request; choose a new one.")]);
        }

        PlanRollout.Planned? planned = await PlanRollout.ReadAsync(db, request.Definition, null, now, violations, cancellation);
        if (planned is not null)
        {
            await RefuseHeldAsync(db, planned.Plan, violations, cancellation);
            if (planned.Plan.Waves.Count == 0)
            {
                violations.Add(new Violation("selector", "nothing is left that a wave could take."));
            }

            if (request.PlanHash.Length > 0 && request.PlanHash != planned.Plan.Hash)
            {
                violations.Add(new Violation("plan_hash", $"the plan is not {request.PlanHash} any more but {planned.Plan.Hash}; look at it with `twinfleet rollout plan`."));
            }

            if (request.Start && planned.Order.FourEyes)
            {
                violations.Add(new Violation("start", "is not possible with fourEyes: another person must approve first."));
            }
        }

        if (planned is null || violations.Count > 0)
        {
            throw Refusal.Invalid(violations);
        }

        RolloutRecord rollout = Add(db, planned, request, requestId, now);
        await db.SaveChangesAsync(cancellation);
        RolloutTurn turn = await RolloutTurn.OpenAsync(db, rollout, upgrades.Value, now, cancellation);
        Audit.AuditLog.Note(db, now, request.Actor, "create", rollout.Name!, $"{rollout.State}, plan {rollout.PlanHash}", rollout.Id);
        if (request.Start)
        {
            await turn.ApplyAsync(new RolloutEvent.Start(), request.Actor, "start", null, cancellation);
        }

        return (rollout.Id, true);
    }

    private static async Task RefuseHeldAsync(FleetDbContext db, Plan plan, List<Violation> violations, CancellationToken cancellation)
    {
        var held = await db.RolloutMembers.AsNoTracking().Where(member => member.Held)
            .Join(db.Rollouts, member => member.RolloutId, rollout => rollout.Id, (member, rollout) => new { member.HostName, member.GuestName, rollout.Name })
            .ToDictionaryAsync(one => (one.HostName, one.GuestName), one => one.Name, cancellation);
        violations.AddRange(plan.Waves.SelectMany(wave => wave.Guests)
            .Where(guest => held.ContainsKey((guest.Id.Host, guest.Id.Name)))
            .Select(guest => new Violation("guests", $"{guest.Id} belongs to rollout {held[(guest.Id.Host, guest.Id.Name)]}, which has not ended.")));
    }

    private static RolloutRecord Add(FleetDbContext db, PlanRollout.Planned planned, Wire.CreateRolloutRequest request, Guid requestId, DateTimeOffset now)
    {
        RolloutOrder order = planned.Order;
        RolloutRecord rollout = new()
        {
            Id = Guid.NewGuid(),
            Kind = RolloutKind.Waves,
            RequestId = requestId,
            ImageDigest = planned.Image.Digest,
            RequestedImage = order.Image,
            Strategy = order.Spec.Strategy,
            RequireSignature = order.RequireSignature,
            OnPanic = order.OnPanic,
            CreatedAt = now,
            Name = order.Name,
            Definition = request.Definition,
            PlanHash = planned.Plan.Hash,
            CreatedBy = request.Actor,
            State = order.FourEyes ? RolloutState.AwaitingApproval : RolloutState.Ready,
            Waves = planned.Plan.Waves.Count,
            LookAt = now,
        };
        db.Rollouts.Add(rollout);
        int position = 0;
        foreach (PlannedWave wave in planned.Plan.Waves)
        {
            db.RolloutWaves.Add(new RolloutWave { RolloutId = rollout.Id, Number = wave.Index + 1, Name = wave.Rule.Name, Guests = wave.Guests.Count });
            foreach (PlannedGuest guest in wave.Guests)
            {
                Blocker? lasting = guest.Blockers.FirstOrDefault(blocker => !blocker.Passing);
                db.RolloutMembers.Add(new RolloutMember
                {
                    RolloutId = rollout.Id,
                    HostName = guest.Id.Host,
                    GuestName = guest.Id.Name,
                    Wave = wave.Index + 1,
                    Position = position++,
                    State = lasting is null ? MemberState.Waiting : MemberState.Skipped,
                    Why = lasting?.Message.TrimEnd('.'),
                    Held = true,
                });
            }
        }

        return rollout;
    }

    private static partial class Log
    {
        [LoggerMessage(1101, LogLevel.Information, "Rollout {Rollout}: {Waves} waves, {Guests} guests to {Image}, made by {Actor}")]
        public static partial void Made(ILogger logger, string rollout, int waves, int guests, string image, string actor);
    }
}
