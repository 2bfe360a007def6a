using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Hosts;

/// <summary>
/// Keeps the heartbeats of a large fleet to <see cref="HostOptions.MaxHeartbeatsPerSecond"/>: all agents are told how often to beat when that has changed,
/// and again while one of them beats more often, be it that it is new or that the word was lost. The idea is HashiCorp Nomad's, <c>max_heartbeats_per_second</c>.
/// </summary>
public sealed partial class HeartbeatPace(FleetTransaction database, IBus bus, IOptions<HostOptions> options, TimeProvider time, ILogger<HeartbeatPace> logger) : BackgroundService
{
    /// <summary>Nobody is told to beat more seldom: after three intervals a host counts as offline, and before that its leases must not run out.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    /// <summary>Nobody beats more often by himself, so that below it there is nothing to say.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);

    /// <summary>A smaller difference is not worth a word.</summary>
    private const double Tolerance = 0.25;
    private static readonly TimeSpan PublishWithin = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        TimeSpan? said = null;
        bool quiet = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                said = await TellAsync(said, stoppingToken);
                quiet = false;
            }
#pragma warning disable CA1031 // The database or the broker is away; the next time asks again.
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!quiet)
                {
                    Log.NotTold(logger, e.GetBaseException().Message);
                }

                quiet = true;
            }

            await Task.Delay(options.Value.PaceInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <param name="said">Last, by this coordinator; null: nothing yet.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>What has been said by now.</returns>
    private async Task<TimeSpan?> TellAsync(TimeSpan? said, CancellationToken cancellation)
    {
        DateTimeOffset since = time.GetUtcNow() - (3 * Longest);
        (TimeSpan due, bool anyTooOften) = await database.ReadAsync(async (db, stop) =>
        {
            int hosts = await db.Hosts.CountAsync(host => host.LastSeen > since, stop);
            TimeSpan all = TimeSpan.FromSeconds((double)hosts / options.Value.MaxHeartbeatsPerSecond);
            TimeSpan wanted = all < Shortest ? Shortest : all > Longest ? Longest : all;
            TimeSpan tooOften = wanted * (1 - Tolerance);
            return (wanted, await db.Hosts.AnyAsync(host => host.LastSeen > since && host.HeartbeatInterval < tooOften, stop));
        }, cancellation);
        if (said is { } last && !anyTooOften && Math.Abs(last / due - 1) <= Tolerance)
        {
            return said;
        }

        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(PublishWithin);
        await bus.Publish(new PaceHeartbeats { Interval = due }, context => context.TimeToLive = Longest, patience.Token);
        return due;
    }

    private static partial class Log
    {
        [LoggerMessage(2101, LogLevel.Warning, "Hosts were not told how often to beat ({Reason}); going on and trying again")]
        public static partial void NotTold(ILogger logger, string reason);
    }
}
