using System.Reflection;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Images;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent.Heartbeats;

/// <summary>Tells the coordinators every <c>Host:HeartbeatInterval</c>, and after every change of a guest, what this host has.</summary>
internal sealed partial class HeartbeatPublisher(
    IOptions<AgentOptions> options, HostMachines machines, GuestHealth health, ImageStore images, IStepEvents events, TimeProvider time, ILogger<HeartbeatPublisher> logger) : BackgroundService
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SettlePatience = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _changed = new(0, 1);
    private readonly Guid _incarnation = Guid.NewGuid();
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();
    private long _sequence;

    public static string Version { get; } =
        typeof(HeartbeatPublisher).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

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
                await _changed.WaitAsync(options.Value.HeartbeatInterval, stoppingToken).ConfigureAwait(false);
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
                Interval = options.Value.HeartbeatInterval,
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
        [LoggerMessage(6000, LogLevel.Warning, "A heartbeat could not be published: {Reason}")]
        public static partial void NotPublished(ILogger logger, string reason);
    }
}
