using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Rollouts;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>One schedule with its next moments and what became of the last ones; all schedules.</summary>
public sealed class ReadSchedules(FleetTransaction database, TimeProvider time)
{
    private const int DefaultUpcoming = 5;
    private const int HighestUpcoming = 100;
    private const int Firings = 20;

    public Task<Wire.Schedule> GetAsync(Wire.GetScheduleRequest request, CancellationToken cancellation) =>
        request.Upcoming > HighestUpcoming
            ? throw Refusal.Invalid([("upcoming", $"({request.Upcoming}) must be at most {HighestUpcoming}; 0 means {DefaultUpcoming}.")])
            : database.ReadAsync((db, stop) => LoadAsync(db, request, stop), cancellation);

    public Task<Wire.ListSchedulesResponse> ListAsync(CancellationToken cancellation) =>
        database.ReadAsync(async (db, stop) => new Wire.ListSchedulesResponse
        {
            Schedules = { (await db.Schedules.AsNoTracking().OrderBy(schedule => schedule.Name).ToListAsync(stop)).Select(ToResponse) },
        }, cancellation);

    internal static Wire.Schedule ToResponse(RolloutSchedule schedule) => new()
    {
        Name = schedule.Name,
        When = schedule.Time.ToString(),
        Enabled = schedule.Enabled,
        Start = schedule.Start,
        Missed = Choice.Text(schedule.Missed),
        MissedLimit = DurationText.Format(NodaTime.Duration.FromTimeSpan(schedule.MissedLimit)),
        Definition = schedule.Template,
        CreatedBy = schedule.CreatedBy,
        Created = Timestamp.FromDateTimeOffset(schedule.CreatedAt),
        Next = schedule.NextFireAt is { } next ? Timestamp.FromDateTimeOffset(next) : null,
    };

    private async Task<Wire.Schedule> LoadAsync(FleetDbContext db, Wire.GetScheduleRequest request, CancellationToken cancellation)
    {
        RolloutSchedule schedule = await db.Schedules.AsNoTracking().SingleOrDefaultAsync(row => row.Name == request.Schedule, cancellation)
            ?? throw RolloutSchedule.Unknown(request.Schedule);
        DateTimeOffset now = time.GetUtcNow();
        List<Instant> upcoming =
        [
            .. schedule.Time.After(Instant.FromDateTimeOffset(now)).Take(request.Upcoming == 0 ? DefaultUpcoming : (int)request.Upcoming),
        ];
        List<ScheduleFiring> firings = await db.ScheduleFirings.AsNoTracking().Where(firing => firing.ScheduleId == schedule.Id)
            .OrderByDescending(firing => firing.DueAt).Take(Firings).ToListAsync(cancellation);
        Wire.Schedule answer = ToResponse(schedule);
        answer.Upcoming.Add(upcoming.Select(moment => new Wire.ScheduleTime
        {
            At = Timestamp.FromDateTimeOffset(moment.ToDateTimeOffset()),
            Local = schedule.Time.Local(moment),
        }));
        answer.Firings.Add(firings.OrderBy(firing => firing.DueAt).Select(firing => new Wire.ScheduleFiring
        {
            Due = Timestamp.FromDateTimeOffset(firing.DueAt),
            Decided = Timestamp.FromDateTimeOffset(firing.DecidedAt),
            Outcome = firing.Outcome.ToString(),
            Rollout = firing.Rollout ?? "",
            Reason = firing.Reason ?? "",
        }));
        if (upcoming.Count > 0)
        {
            List<Violation> violations = [];
            (_, string definition) = await schedule.DefinitionAsync(db, upcoming[0], cancellation);
            await PlanRollout.ReadAsync(db, definition, null, now, violations, cancellation);
            answer.RefusedNow.Add(violations.Select(one => $"{one.Field}: {one.Message}"));
        }

        return answer;
    }
}
