using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Windows;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>
/// Makes a schedule of a rollout's definition. What is wrong with the definition itself is refused; what only the fleet can say of it is
/// asked at each firing, since the fleet will be another one then.
/// </summary>
public sealed class CreateSchedule(FleetTransaction transactions, ReadSchedules read, TimeProvider time)
{
    /// <summary>A name leaves room for <c>-YYYYMMDD-NN</c> in the name of a rollout.</summary>
    public const int LongestName = 51;

    public static readonly Duration DefaultMissedLimit = Duration.FromHours(1), LongestMissedLimit = Duration.FromDays(7);

    public async Task<Wire.Schedule> HandleAsync(Wire.CreateScheduleRequest request, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        RolloutSchedule schedule = Read(request, now);
        await transactions.RunAsync(async (db, stop) =>
        {
            if (await db.Schedules.AsNoTracking().SingleOrDefaultAsync(row => row.Name == schedule.Name, stop) is { } earlier)
            {
                return IsSame(earlier, schedule)
                    ? earlier.Id
                    : throw Refusal.AlreadyExists($"Schedule '{schedule.Name}' exists and is another one; delete it first, or choose another name.");
            }

            db.Schedules.Add(schedule);
            db.Note(now, request.Actor, "schedule-create", schedule.Name, schedule.Time.ToString());
            return schedule.Id;
        }, cancellation);
        return await read.GetAsync(new Wire.GetScheduleRequest { Schedule = schedule.Name }, cancellation);
    }

    private static RolloutSchedule Read(Wire.CreateScheduleRequest request, DateTimeOffset now)
    {
        List<(string Field, string Message)> wrong = [];
        ActorName.Check(request.Actor, wrong);
        List<Violation> violations = [.. wrong.Select(one => new Violation(one.Field, one.Message))];
        RolloutOrder? order = RolloutOrder.Read(request.Definition, violations);
        if (order is not null)
        {
            if (order.Name.Length > LongestName)
            {
                violations.Add(new Violation("name", $"must have at most {LongestName} characters: the names of its rollouts end in the date."));
            }

            if (request.Start && order.FourEyes)
            {
                violations.Add(new Violation("start", "is not possible with fourEyes: another person must approve each rollout first."));
            }
        }

        ScheduleTime? when = ScheduleTime.Parse(request.When, "when", violations);
        if (when is not null && when.Next(Instant.FromDateTimeOffset(now)) is null)
        {
            violations.Add(new Violation("when", $"'{when}' does not come within {WindowSet.Horizon.Days} days."));
        }

        MissedFiringPolicy? missed = Choice.Read<MissedFiringPolicy>(NullIfEmpty(request.Missed), "missed", MissedFiringPolicy.RunOnce, violations);
        Duration limit = DurationText.Read(
            NullIfEmpty(request.MissedLimit), "missed_limit", DefaultMissedLimit, DueFirings.OnTime, LongestMissedLimit, violations);
        if (violations.Count > 0)
        {
            throw Refusal.Invalid(violations);
        }

        RolloutSchedule schedule = new()
        {
            Id = Guid.NewGuid(),
            Name = order!.Name,
            Recurrence = RecurrenceText.Format(when!.Recurrence),
            At = LocalTimeText.Format(when.At),
            Zone = when.Zone.Id,
            Template = request.Definition,
            Start = request.Start,
            Missed = missed!.Value,
            MissedLimit = limit.ToTimeSpan(),
            Enabled = true,
            CreatedBy = request.Actor,
            CreatedAt = now,
        };
        schedule.Settle(now);
        return schedule;
    }

    private static bool IsSame(RolloutSchedule one, RolloutSchedule other) =>
        one.Time == other.Time && one.Start == other.Start && one.Missed == other.Missed && one.MissedLimit == other.MissedLimit
        && JsonNode.DeepEquals(JsonNode.Parse(one.Template), JsonNode.Parse(other.Template));

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
