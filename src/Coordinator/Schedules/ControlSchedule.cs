using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Requests;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>What a person does to a schedule. Rollouts that it has made go on.</summary>
public sealed class ControlSchedule(FleetTransaction transactions, TimeProvider time)
{
    private static readonly string[] _acts = ["pause", "resume", "delete"];

    /// <returns>The schedule as it is afterwards; one that was deleted, as it was.</returns>
    public Task<Wire.Schedule> HandleAsync(Wire.ControlScheduleRequest request, CancellationToken cancellation)
    {
        List<(string, string)> violations = [];
        ActorName.Check(request.Actor, violations);
        if (!_acts.Contains(request.Act))
        {
            violations.Add(("act", $"'{request.Act}' must be one of {string.Join(", ", _acts)}."));
        }

        return violations.Count > 0 ? throw Refusal.Invalid(violations) : transactions.RunAsync(async (db, stop) =>
        {
            RolloutSchedule schedule = await RolloutSchedule.LockAsync(db, request.Schedule, stop);
            DateTimeOffset now = time.GetUtcNow();
            if (request.Act == "delete")
            {
                db.Schedules.Remove(schedule);
            }
            else if (schedule.Enabled == (request.Act == "resume"))
            {
                return ReadSchedules.ToResponse(schedule);
            }
            else
            {
                schedule.Enabled = request.Act == "resume";
                schedule.Settle(now);
            }

            db.Note(now, request.Actor, $"schedule-{request.Act}", schedule.Name);
            return ReadSchedules.ToResponse(schedule);
        }, cancellation);
    }
}
