using System.Collections.Concurrent;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent.Observation;

/// <summary>
/// The observers of the upgrades that are between transfer and commit. The journal knows that one was begun, so that
/// one that had to be begun anew, by an agent that was started in between, says so.
/// </summary>
internal sealed class ObservationLedger(UpgradeJournal journal, TimeSpan interval) : IDisposable
{
    private const string BegunFact = "observer";
    private readonly ConcurrentDictionary<Guid, Observation> _running = new();

    /// <summary>The observer of an upgrade, begun when there is none. It goes where the service answers now: a machine that was started again has other ports.</summary>
    public OutageObserver Begin(Guid upgrade, MachineEndpoint endpoint)
    {
        Observation observation = _running.GetOrAdd(upgrade, id =>
        {
            ObservedOutage? before = null;
            if (journal.Fact(id, BegunFact) is null)
            {
                journal.Note(id, BegunFact, "begun");
            }
            else
            {
                before = journal.LastOutage(id) ?? new ObservedOutage { LongestGap = TimeSpan.Zero, Sent = 0, Answered = 0, Interval = interval, Interrupted = true };
            }

            return new Observation(new OutageObserver(endpoint.Service, interval), before);
        });
        observation.Observer.Follow(endpoint.Service);
        return observation.Observer;
    }

    /// <summary>What was seen so far; null when nothing was observed.</summary>
    public ObservedOutage? Report(Guid upgrade) => _running.TryGetValue(upgrade, out Observation? observation)
        ? observation.Observer.Snapshot().ToMessage(interval, observation.Before)
        : journal.LastOutage(upgrade);

    /// <summary>Stops asking.</summary>
    public void End(Guid upgrade)
    {
        if (_running.TryRemove(upgrade, out Observation? observation))
        {
            observation.Observer.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (Guid upgrade in _running.Keys)
        {
            End(upgrade);
        }
    }

    private sealed record Observation(OutageObserver Observer, ObservedOutage? Before);
}
