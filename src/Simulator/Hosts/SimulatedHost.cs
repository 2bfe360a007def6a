using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Simulator.Journal;
using TwinKernel.Fleet.Simulator.Scenarios;

namespace TwinKernel.Fleet.Simulator.Hosts;

/// <summary>A host: what is there whether its agent runs or not.</summary>
internal sealed class SimulatedHost
{
    public required string Name { get; init; }

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    public required IReadOnlyDictionary<string, SimulatedGuest> Guests { get; init; }

    public required HostDisk Disk { get; init; }

    /// <summary>When no heartbeat is sent, from the start of the simulation, in the scenario's time.</summary>
    public required IReadOnlyList<Interruption> Silences { get; init; }

    /// <summary>When its agent is away; in their order.</summary>
    public required IReadOnlyList<Interruption> Restarts { get; init; }

    /// <summary>All hosts of a scenario, always the same of the same, and as <paramref name="journal"/> left them.</summary>
    public static IReadOnlyList<SimulatedHost> AllOf(Scenario scenario, Decisions decisions, FleetJournal journal)
    {
        IReadOnlyList<SimulatedHost> hosts =
        [
            .. scenario.Hosts.SelectMany(group => Enumerable.Range(1, group.Count).Select(number => Of(scenario, decisions, group, number, journal))),
        ];
        Dictionary<string, SimulatedHost> named = hosts.ToDictionary(host => host.Name);
        foreach (JournalLine line in journal.Earlier)
        {
            if (line.Host is not null && named.TryGetValue(line.Host, out SimulatedHost? host))
            {
                host.Disk.Restore(line);
                if (line is { Kernels: { } kernels, Guest: { } guest })
                {
                    host.Guests[guest].Restore(kernels, scenario.Images);
                }
            }
        }

        return hosts;
    }

    private static SimulatedHost Of(Scenario scenario, Decisions decisions, HostGroup group, int number, FleetJournal journal)
    {
        string name = group.HostName(number);
        return new SimulatedHost
        {
            Name = name,
            Disk = new HostDisk(journal),
            Labels = HostGroup.LabelsAt(group.Labels, number - 1),
            Guests = Enumerable.Range(1, group.Guests)
                .Select(guest => new SimulatedGuest($"g{guest}", HostGroup.LabelsAt(group.GuestLabels, guest - 1), group.Image, journal))
                .ToDictionary(guest => guest.Name),
            Silences = [.. Concerning("silence", scenario.Silences)],
            Restarts = [.. Concerning("restart", scenario.Restarts).OrderBy(one => one.At)],
        };

        IEnumerable<Interruption> Concerning(string kind, IReadOnlyList<Interruption> all) =>
            all.Where((one, at) => decisions.Concerns(kind, at, one, group.Name, name));
    }
}
