using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// Drives rollouts, in every coordinator: each one that is due is taken by one of them (SKIP LOCKED), and all that follows from
/// a turn is one transaction. Nothing is in memory that is not in the tables; any other coordinator goes on.
/// </summary>
public sealed partial class RolloutDriver(
    FleetTransaction transactions, ChangeSignals signals, IOptions<RolloutOptions> rollouts, IOptions<UpgradeOptions> upgrades,
    TimeProvider time, ILogger<RolloutDriver> logger) : BackgroundService
{
    /// <summary>Ends that come close together are taken in one turn. Where turns take long, three times that: a turn reads the whole fleet.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(20);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        bool quiet = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                List<Guid> taken = [];
                long began = time.GetTimestamp();
                while (await transactions.RunAsync((db, stop) => TakeOneAsync(db, taken, stop), stoppingToken) is { } took)
                {
                    taken.Add(took.Id);
                    if (took.Before != took.After)
                    {
                        Log.Went(logger, took.Name, took.Before, took.After, took.Wave);
                    }

                    if (took.Begun > 0)
                    {
                        Log.Began(logger, took.Name, took.Wave, took.Begun);
                    }
                }

                quiet = false;
                long ended = time.GetTimestamp();
                TimeSpan busy = time.GetElapsedTime(began, ended);
                if (taken.Count == 0)
                {
                    await signals.WaitForRolloutsAsync(rollouts.Value.Interval, stoppingToken);
                }

                // Who has waited long enough begins at once.
                TimeSpan pause = TimeSpan.FromTicks(Math.Clamp(3 * busy.Ticks, Gather.Ticks, rollouts.Value.Interval.Ticks)) - time.GetElapsedTime(ended);
                if (pause > TimeSpan.Zero)
                {
                    await Task.Delay(pause, time, stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // The rollouts are still in the table and the driver must live.
            catch (Exception e)
#pragma warning restore CA1031
            {
                if (!quiet)
                {
                    Log.Stopped(logger, e.GetBaseException().Message, e);
                }

                quiet = true;
                await Task.Delay(rollouts.Value.Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private sealed record Took(Guid Id, string Name, RolloutState Before, RolloutState After, int Wave, int Begun);

    /// <param name="db">In a transaction.</param>
    /// <param name="taken">Those that have had their turn.</param>
    /// <param name="cancellation">Gives up.</param>
    private async Task<Took?> TakeOneAsync(FleetDbContext db, List<Guid> taken, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        List<RolloutRecord> due = await db.Rollouts.FromSql(
            $"""
             select *, xmin from rollouts
             where look_at is not null and id <> all ({taken}) and (look_at <= {now} or exists (
               select 1 from rollout_members member join upgrades upgrade on upgrade.id = member.upgrade_id
               where member.rollout_id = rollouts.id and member.state in ('Running', 'Undoing') and upgrade.finished_at is not null))
             order by look_at
             limit 1
             for update skip locked
             """).ToListAsync(cancellation);
        if (due is not [RolloutRecord rollout])
        {
            return null;
        }

        RolloutState before = rollout.State!.Value;
        RolloutTurn turn = await RolloutTurn.OpenAsync(db, rollout, upgrades.Value, now, cancellation);
        int begun = await new RolloutProgress(turn, rollouts.Value).RunAsync(cancellation);
        return new Took(rollout.Id, rollout.Name!, before, rollout.State.Value, rollout.Wave, begun);
    }

    private static partial class Log
    {
        [LoggerMessage(1001, LogLevel.Information, "Rollout {Rollout}: {Before} -> {After}, wave {Wave}")]
        public static partial void Went(ILogger logger, string rollout, RolloutState before, RolloutState after, int wave);

        [LoggerMessage(1002, LogLevel.Information, "Rollout {Rollout}: wave {Wave}, {Count} upgrades begun")]
        public static partial void Began(ILogger logger, string rollout, int wave, int count);

        [LoggerMessage(1003, LogLevel.Error, "Rollouts cannot be driven ({Reason}); again every interval")]
        public static partial void Stopped(ILogger logger, string reason, Exception exception);
    }
}
