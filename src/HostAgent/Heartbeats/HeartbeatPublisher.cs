using System.Reflection;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Images;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent.Heartbeats;

/// <summary>
/// Tells the coordinators every <c>Host:HeartbeatInterval</c>, more seldom when they ask for it, and after every change of a guest, what
/// this host has.
/// </summary>
internal sealed partial class HeartbeatPublisher(
    IOptions<AgentOptions> options, HostMachines machines, GuestHealth health, ImageStore images, IStepEvents events, TimeProvider time, ILogger<HeartbeatPublisher> logger) : BackgroundService
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SettlePatience = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _changed = new(0, 1);
    private readonly Guid _incarnation = Guid.NewGuid();
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();
    private long _sequence;
    private long _intervalTicks = options.Value.HeartbeatInterval.Ticks;

    public static string Version { get; } =
        typeof(HeartbeatPublisher).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private TimeSpan Interval => TimeSpan.FromTicks(Interlocked.Read(ref _intervalTicks));

    /// <summary>How often the coordinators want to be told. From the next heartbeat on, which says so: hosts that are told together do not beat together.</summary>
    public void Pace(PaceHeartbeats wanted)
    {
        TimeSpan before = Interval, now = wanted.Applied(options.Value.HeartbeatInterval, before);
        if (now != before)
        {
            Interlocked.Exchange(ref _intervalTicks, now.Ticks);
            Log.Paced(logger, now);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Not "stopped" because nobody has looked yet: a machine may be about to be adopted.
        await Task.WhenAll(machines.All.Select(m => m.Settled)).WaitAsync(SettlePatience, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        machines.Changed += Hurry;
        health.Changed += Hurry;
        try
        {
            while (true)
            {
                await PublishAsync(stoppingToken).ConfigureAwait(false);
                // The first is cut somewhere: agents that were started together do not beat together from then on.
                await _changed.WaitAsync(_sequence == 1 ? Interval * Random.Shared.NextDouble() : Interval, stoppingToken).ConfigureAwait(false);
            }
        }
        finally
        {
            machines.Changed -= Hurry;
            health.Changed -= Hurry;
        }
    }

    private async Task PublishAsync(CancellationToken stoppingToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        limit.CancelAfter(Patience);
        try
        {
            ChosenAccelerator chosen = await machines.ChooseAcceleratorAsync(stoppingToken).ConfigureAwait(false);
            HostHeartbeat heartbeat = new()
            {
                Host = options.Value.Name,
                Incarnation = _incarnation,
                StartedAt = _startedAt,
                Sequence = ++_sequence,
                Interval = Interval,
                AgentVersion = Version,
                Accelerator = chosen.Accelerator == Accelerator.Kvm ? "kvm" : "tcg",
                Labels = options.Value.Labels.AsReadOnly(),
                Guests = [.. machines.All.Select(health.Report)],
                Images = [.. images.List().DistinctBy(i => i.Digest).Select(i => i.ToReport())],
            };
            await events.PublishAsync(heartbeat, mustBeRouted: false, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            Log.NotPublished(logger, e.Message);
        }
    }

    private void Hurry()
    {
        try
        {
            _changed.Release();
        }
        catch (SemaphoreFullException)
        {
            // One is due already.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(6001, LogLevel.Information, "Heartbeats are sent every {Interval} from now on, as a coordinator asks")]
        public static partial void Paced(ILogger logger, TimeSpan interval);

        [LoggerMessage(6000, LogLevel.Warning, "A heartbeat could not be published: {Reason}")]
        public static partial void NotPublished(ILogger logger, string reason);
    }
}
