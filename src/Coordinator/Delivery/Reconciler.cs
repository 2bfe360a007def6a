using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>
/// Turns passed deadlines into events, in every coordinator: each due upgrade is taken by one of them (SKIP LOCKED), and
/// the event, its effects and the next deadline are one transaction. Nothing is judged while, or shortly after, this
/// coordinator was cut off from broker or database: results that were in time may still wait in the queue.
/// </summary>
public sealed partial class Reconciler(
    FleetTransaction transactions, IBusControl bus, IOptions<UpgradeOptions> upgrades, IOptions<DeliveryOptions> delivery,
    TimeProvider time, ILogger<Reconciler> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        long connectedSince = time.GetTimestamp();
        using PeriodicTimer timer = new(delivery.Value.ReconcileInterval, time);
        bool quiet = false;
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask().ContinueWith(
            tick => tick.IsCompletedSuccessfully && tick.Result, TaskScheduler.Default))
        {
            try
            {
                if (bus.CheckHealth().Status != BusHealthStatus.Healthy)
                {
                    connectedSince = time.GetTimestamp();
                    continue;
                }

                if (time.GetElapsedTime(connectedSince) < delivery.Value.CatchUp)
                {
                    // Were nothing asked here, an outage in this time would pass unnoticed, and what it held up would be judged at its end.
                    await transactions.ReadAsync(static (db, stop) => db.Database.ExecuteSqlAsync($"select 1", stop), stoppingToken);
                    continue;
                }

                while (await transactions.RunAsync(TakeOneAsync, stoppingToken) is { } settled)
                {
                    Log.DeadlinePassed(logger, settled.Id, settled.Before.Step, settled.Before.Phase, settled.After.State);
                }

                quiet = false;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // The deadlines are still in the table and the reconciler must live.
            catch (Exception e)
#pragma warning restore CA1031
            {
                connectedSince = time.GetTimestamp();
                if (!quiet)
                {
                    Log.Stopped(logger, e.GetBaseException().Message, e);
                }

                quiet = true;
            }
        }
    }

    private sealed record Settled(Guid Id, UpgradeSituation Before, UpgradeSituation After);

    private async Task<Settled?> TakeOneAsync(FleetDbContext db, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        List<UpgradeRecord> due = await db.Upgrades.FromSql(
            $"""
             select *, xmin from upgrades
             where finished_at is null and deadline_at <= {now}
             order by deadline_at
             limit 1
             for update skip locked
             """).ToListAsync(cancellation);
        if (due is not [UpgradeRecord upgrade])
        {
            return null;
        }

        await db.Entry(upgrade).Collection(row => row.Steps).Query().Include(step => step.Timings).LoadAsync(cancellation);
        UpgradeSituation before = upgrade.Situation;
        UpgradeDecision decision = UpgradeJournal.Apply(
            db, upgrade, new UpgradeEvent.DeadlinePassed(), upgrades.Value, now);
        if (decision.Ignored is { } ignored)
        {
            throw new InvalidOperationException($"Upgrade {upgrade.Id} has a deadline in {before.State}, where it means nothing ({ignored}).");
        }

        return new Settled(upgrade.Id, before, decision.Next);
    }

    private static partial class Log
    {
        [LoggerMessage(4201, LogLevel.Warning, "Upgrade {Upgrade}: the deadline of {Step} ({Phase}) has passed; now {State}")]
        public static partial void DeadlinePassed(
            ILogger logger, Guid upgrade, Contracts.Messages.UpgradeStep? step, StepPhase phase, UpgradeState state);

        [LoggerMessage(4202, LogLevel.Error, "Deadlines cannot be looked at ({Reason}); again every interval")]
        public static partial void Stopped(ILogger logger, string reason, Exception exception);
    }
}
