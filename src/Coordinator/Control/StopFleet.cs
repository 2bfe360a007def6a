using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Upgrades;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Control;

/// <summary>
/// Emergency stop of the whole fleet: from its commit on nothing begins, and every upgrade whose commit has not begun is on its way
/// back to kernel A. Rollouts stay where they are, and go on after the release.
/// </summary>
public sealed partial class StopFleet(
    FleetTransaction transactions, IOptions<UpgradeOptions> upgrades, TimeProvider time, ILogger<StopFleet> logger)
{
    public async Task<Wire.FleetStatus> HandleAsync(Wire.StopFleetRequest request, CancellationToken cancellation)
    {
        List<(string, string)> violations = [];
        ActorName.Check(request.Actor, violations);
        if (!request.Release && request.Reason.Length is 0 or > 500)
        {
            violations.Add(("reason", "must say why, in 1 to 500 characters."));
        }

        if (request.Release && request.LetFinish)
        {
            violations.Add(("let_finish", "is not possible with release."));
        }

        if (violations.Count > 0)
        {
            throw Refusal.Invalid(violations);
        }

        Wire.FleetStatus status = await transactions.RunAsync((db, stop) => WriteAsync(db, request, stop), cancellation);
        if (request.Release)
        {
            Log.Released(logger, request.Actor);
        }
        else
        {
            Log.Stopped(logger, request.Actor, request.Reason, status.Running, status.Aborted);
        }

        return status;
    }

    public Task<Wire.FleetStatus> GetAsync(CancellationToken cancellation) => transactions.ReadAsync(async (db, stop) =>
        await FleetStatus.ReadAsync(db, await db.FleetControl.AsNoTracking().SingleAsync(stop), stop), cancellation);

    private async Task<Wire.FleetStatus> WriteAsync(FleetDbContext db, Wire.StopFleetRequest request, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        FleetControl control = await FleetControl.LockAsync(db, cancellation);
        uint aborted = 0;
        if (request.Release)
        {
            if (control.StoppedAt is not null)
            {
                (control.StoppedAt, control.StoppedBy, control.StopReason) = (null, null, null);
                db.Note(now, request.Actor, "release-all", "fleet", request.Reason);
            }
        }
        else
        {
            if (control.StoppedAt is null)
            {
                (control.StoppedAt, control.StoppedBy, control.StopReason) = (now, request.Actor, request.Reason);
                db.Note(now, request.Actor, "stop-all", "fleet", request.Reason);
            }

            aborted = request.LetFinish ? 0 : await AbortAsync(db, $"the fleet was stopped by {request.Actor}: {request.Reason}", now, cancellation);
        }

        await db.SaveChangesAsync(cancellation);
        Wire.FleetStatus status = await FleetStatus.ReadAsync(db, control, cancellation);
        status.Aborted = aborted;
        return status;
    }

    private async Task<uint> AbortAsync(FleetDbContext db, string reason, DateTimeOffset now, CancellationToken cancellation)
    {
        List<UpgradeRecord> running = await db.Upgrades.Include(upgrade => upgrade.Steps).ThenInclude(step => step.Timings).AsSplitQuery()
            .Where(upgrade => upgrade.FinishedAt == null).OrderBy(upgrade => upgrade.Id).ToListAsync(cancellation);
        return (uint)running.Count(upgrade =>
            UpgradeJournal.Apply(db, upgrade, new UpgradeEvent.Aborted(reason), upgrades.Value, now).Ignored is null);
    }

    private static partial class Log
    {
        [LoggerMessage(1301, LogLevel.Warning, "The fleet was stopped by {Actor} ({Reason}); {Running} upgrades run, {Aborted} of them go back now")]
        public static partial void Stopped(ILogger logger, string actor, string reason, uint running, uint aborted);

        [LoggerMessage(1302, LogLevel.Warning, "The stop of the fleet was ended by {Actor}")]
        public static partial void Released(ILogger logger, string actor);
    }
}

internal static class FleetStatus
{
    public static async Task<Wire.FleetStatus> ReadAsync(FleetDbContext db, FleetControl control, CancellationToken cancellation) => new()
    {
        Stopped = control.StoppedAt is not null,
        Reason = control.StoppedAt is null ? "" : control.Sentence,
        Running = (uint)await db.Upgrades.CountAsync(upgrade => upgrade.FinishedAt == null, cancellation),
        Policy = $"{{\"limits\": {control.Limits}, \"calendars\": {control.Calendars}}}",
    };
}
