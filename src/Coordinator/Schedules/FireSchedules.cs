using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using NodaTime;
using Quartz;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Rollouts;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>
/// Makes the rollouts of schedules that are due. Each schedule is one transaction that holds its row: what is due is worked out again
/// from its own zone, and the rollout, the firing and the next moment are written together. Another coordinator that wakes as well finds
/// nothing due; a firing that would come twice breaks its key.
/// </summary>
[DisallowConcurrentExecution]
public sealed partial class FireSchedules(FleetTransaction transactions, CreateRollout create, TimeProvider time, ILogger<FireSchedules> logger) : IJob
{
    public static readonly JobKey Key = new("fire-schedules", "schedules");

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        DateTimeOffset now = time.GetUtcNow();
        List<Guid> due = await transactions.ReadAsync(
            (db, stop) => db.Schedules.Where(schedule => schedule.NextFireAt <= now).OrderBy(schedule => schedule.NextFireAt).Select(schedule => schedule.Id).ToListAsync(stop),
            cancellationToken);
        foreach (Guid schedule in due)
        {
            try
            {
                foreach ((string name, ScheduleFiring firing) in await transactions.RunAsync((db, stop) => FireAsync(db, schedule, now, stop), cancellationToken))
                {
                    Log.Decided(logger, name, firing.DueAt, firing.Outcome, firing.Rollout ?? firing.Reason);
                }
            }
#pragma warning disable CA1031 // The others are due as well, and this one again at the next wake-up.
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.Failed(logger, schedule, e.GetBaseException().Message, e);
            }
        }
    }

    private async Task<List<(string Schedule, ScheduleFiring Firing)>> FireAsync(FleetDbContext db, Guid id, DateTimeOffset now, CancellationToken cancellation)
    {
        List<RolloutSchedule> held = await db.Schedules
            .FromSql($"select * from schedules where id = {id} and next_fire_at <= {now} for update skip locked").ToListAsync(cancellation);
        if (held is not [RolloutSchedule schedule])
        {
            return [];
        }

        DueFirings firings = DueFirings.Of(
            schedule.Time, schedule.Missed, Duration.FromTimeSpan(schedule.MissedLimit),
            Instant.FromDateTimeOffset(schedule.SettledTo), Instant.FromDateTimeOffset(now));
        List<(string, ScheduleFiring)> decided = [];
        foreach ((Instant due, string reason) in firings.Missed)
        {
            Add(New(due, FiringOutcome.Missed, reason));
        }

        if (firings.Fire is { } fire)
        {
            (string name, string definition) = await schedule.DefinitionAsync(db, fire, cancellation);
            Wire.CreateRolloutRequest request = new() { Definition = definition, Start = schedule.Start, Actor = schedule.CreatedBy };
            try
            {
                (Guid rollout, _) = await create.WriteAsync(db, request, Guid.NewGuid(), [], cancellation);
                ScheduleFiring made = New(fire, FiringOutcome.Made, null);
                made.Rollout = name;
                Add(made, rollout);
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.InvalidArgument)
            {
                Add(New(fire, FiringOutcome.Refused, e.Status.Detail));
            }
        }

        schedule.Settle(now);
        return decided;

        ScheduleFiring New(Instant due, FiringOutcome outcome, string? reason) => new()
        {
            ScheduleId = id,
            DueAt = due.ToDateTimeOffset(),
            DecidedAt = now,
            Outcome = outcome,
            Reason = reason,
        };

        void Add(ScheduleFiring firing, Guid? rollout = null)
        {
            db.ScheduleFirings.Add(firing);
            db.Note(now, AuditEntry.Service, $"schedule-{Requests.Choice.Text(firing.Outcome)}", schedule.Name,
                $"due {firing.DueAt:u}: {firing.Rollout ?? firing.Reason}", rollout);
            decided.Add((schedule.Name, firing));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(6101, LogLevel.Information, "Schedule {Schedule}, due {Due:u}: {Outcome}, {What}")]
        public static partial void Decided(ILogger logger, string schedule, DateTimeOffset due, FiringOutcome outcome, string? what);

        [LoggerMessage(6102, LogLevel.Error, "Schedule {Schedule} cannot be fired ({Reason}); again in a minute")]
        public static partial void Failed(ILogger logger, Guid schedule, string reason, Exception exception);
    }
}
