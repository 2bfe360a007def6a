using TwinKernel.Fleet.Simulator.Delivery;
using TwinKernel.Fleet.Simulator.Hosts;
using TwinKernel.Fleet.Simulator.Journal;
using TwinKernel.Fleet.Simulator.Reporting;
using TwinKernel.Fleet.Simulator.Scenarios;

namespace TwinKernel.Fleet.Simulator;

/// <summary>All hosts of a scenario, until they are told to end.</summary>
internal sealed class Simulation
{
    private readonly Scenario _scenario;
    private readonly Decisions _decisions;
    private readonly TimeProvider _time;
    private readonly long _began;
    private int _running;

    /// <param name="scenario">What is simulated.</param>
    /// <param name="time">The clock.</param>
    /// <param name="journal">What hosts and guests go on from, and write; null: they begin anew, and nothing is kept.</param>
    public Simulation(Scenario scenario, TimeProvider time, FleetJournal? journal = null)
    {
        (_scenario, _time) = (scenario, time);
        _decisions = new Decisions(scenario);
        Hosts = SimulatedHost.AllOf(scenario, _decisions, journal ?? FleetJournal.None);
        journal?.Write(new JournalLine { Word = JournalWord.Started });
        _began = time.GetTimestamp();
    }

    public IReadOnlyList<SimulatedHost> Hosts { get; }

    public Tally Tally { get; } = new();

    public TimeSpan Elapsed => _time.GetElapsedTime(_began);

    /// <summary>Hosts whose agents run.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Returns when it is cancelled and every agent has ended.</summary>
    /// <exception cref="BrokerUnreachableException">The broker cannot be reached at the start.</exception>
    public async Task RunAsync(Uri broker, CancellationToken cancellationToken)
    {
        await using BrokerLink link = await BrokerLink.ConnectAsync(broker, Hosts.Count, Tally, cancellationToken).ConfigureAwait(false);
        await Task.WhenAll(Hosts.Select(host => LiveAsync(host, link, cancellationToken))).ConfigureAwait(false);
    }

    /// <summary>A host's agent, run after run.</summary>
    private async Task LiveAsync(SimulatedHost host, BrokerLink link, CancellationToken cancellationToken)
    {
        foreach (Interruption? next in host.Restarts.Append(null))
        {
            await RunAgentAsync(host, link, next is null ? Timeout.InfiniteTimeSpan : _scenario.Scaled(next.At), cancellationToken).ConfigureAwait(false);
            if (next is null || cancellationToken.IsCancellationRequested)
            {
                return;
            }

            Tally.Count(Counted.Restart);
            await UntilAsync(_scenario.Scaled(next.At + next.Length), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task RunAgentAsync(SimulatedHost host, BrokerLink link, TimeSpan until, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return;
        }

        await using SimulatedAgent agent = new(host, _scenario, _decisions, link, Tally, _time);
        agent.Resume();
        await link.ListenAsync(host.Name, agent.TakeAsync, agent.Answer, cancellationToken).ConfigureAwait(false);
        Interlocked.Increment(ref _running);
        agent.Beat(() => host.Silences.Any(silence => Elapsed >= _scenario.Scaled(silence.At) && Elapsed < _scenario.Scaled(silence.At + silence.Length)));
        await UntilAsync(until, cancellationToken).ConfigureAwait(false);
        await link.LeaveAsync(host.Name).ConfigureAwait(false);
        Interlocked.Decrement(ref _running);
    }

    /// <summary>Waits for a time after the start, or the end.</summary>
    private async Task UntilAsync(TimeSpan after, CancellationToken cancellationToken)
    {
        TimeSpan left = after == Timeout.InfiniteTimeSpan ? after : after - Elapsed;
        if (left > TimeSpan.Zero || left == Timeout.InfiniteTimeSpan)
        {
            await Task.Delay(left, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
