using System.Collections.Concurrent;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Heartbeats;

/// <summary>Asks every guest's agent at a calm pace how it is, for the heartbeats.</summary>
internal sealed class GuestHealth(HostMachines machines, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Silences in a row after which a guest counts as unreachable. A kernel B that falls silent is given a second, and kernel A then needs half of one for its card: two questions can fall into that, and
    /// one that was asked in front of a card that is not there is not answered behind it either.
    /// </summary>
    private const int Silences = 3;
    private readonly ConcurrentDictionary<string, Health> _health = new();

    /// <summary>Raised when a guest's state, kernel, CPUs or share of the machine have changed.</summary>
    public event Action? Changed;

    public GuestReport Report(GuestMachine machine)
    {
        Health health = _health.GetValueOrDefault(machine.Name) ?? new Health(null, null, 0);
        MachineEndpoint? endpoint = machine.Endpoint;
        bool same = endpoint is not null && health.Machine == endpoint.Gone;
        GuestState state = endpoint is null ? GuestState.Stopped
            : !same || health.Observation is null ? GuestState.Starting
            : health.Silences >= Silences ? GuestState.Unreachable
            : GuestState.Running;
        return new GuestReport
        {
            Guest = machine.Name,
            State = state,
            ImageDigest = machine.ServingImageDigest,
            ServiceAddress = endpoint?.Service.ToString() ?? "",
            Labels = machine.Labels,
            Observation = same ? health.Observation : null,
        };
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(machines.All.Select(m => WatchAsync(m, stoppingToken)));

    private async Task WatchAsync(GuestMachine machine, CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(Pace, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            if (machine.Endpoint is { } endpoint)
            {
                GuestReport before = Report(machine);
                _health[machine.Name] = await AskAsync(endpoint, _health.GetValueOrDefault(machine.Name), stoppingToken).ConfigureAwait(false);
                GuestReport after = Report(machine);
                if (before.State != after.State || Notable(before.Observation) != Notable(after.Observation))
                {
                    Changed?.Invoke();
                }
            }
        }
    }

    private static (string?, bool?, int?, long?) Notable(GuestObservation? seen) =>
        (seen?.BootId, seen?.HasParent, seen?.CpusOnline, seen?.MachineMemoryOwnedBytes);

    private async Task<Health> AskAsync(MachineEndpoint endpoint, Health? before, CancellationToken stoppingToken)
    {
        bool same = before?.Machine == endpoint.Gone;
        try
        {
            Contracts.Guest.Status status = await GuestConnection.AskStatusAsync(endpoint, Patience, stoppingToken).ConfigureAwait(false);
            return new Health(endpoint.Gone, status.ToObservation(time.GetUtcNow()), 0);
        }
        catch (RpcException)
        {
            return new Health(endpoint.Gone, same ? before?.Observation : null, same ? before!.Silences + 1 : 1);
        }
    }

    /// <param name="Machine">Which run of the machine it is of: a token is equal to itself only.</param>
    private sealed record Health(CancellationToken? Machine, GuestObservation? Observation, int Silences);
}
