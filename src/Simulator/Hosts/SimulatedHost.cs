using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Simulator.Scenarios;

namespace TwinKernel.Fleet.Simulator.Hosts;

/// <summary>A host: what is there whether its agent runs or not.</summary>
internal sealed class SimulatedHost
{
    public required string Name { get; init; }

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    public required IReadOnlyDictionary<string, SimulatedGuest> Guests { get; init; }

    public HostDisk Disk { get; } = new();

    /// <summary>When no heartbeat is sent, from the start of the simulation, in the scenario's time.</summary>
    public required IReadOnlyList<Interruption> Silences { get; init; }

    /// <summary>When its agent is away; in their order.</summary>
    public required IReadOnlyList<Interruption> Restarts { get; init; }

    /// <summary>All hosts of a scenario, always the same of the same.</summary>
    public static IReadOnlyList<SimulatedHost> AllOf(Scenario scenario, Decisions decisions) =>
    [
        .. scenario.Hosts.SelectMany(group => Enumerable.Range(1, group.Count).Select(number => Of(scenario, decisions, group, number))),
    ];

    private static SimulatedHost Of(Scenario scenario, Decisions decisions, HostGroup group, int number)
    {
        string name = group.HostName(number);
        return new SimulatedHost
        {
            Name = name,
            Labels = HostGroup.LabelsAt(group.Labels, number - 1),
            Guests = Enumerable.Range(1, group.Guests)
                .Select(guest => new SimulatedGuest($"g{guest}", HostGroup.LabelsAt(group.GuestLabels, guest - 1), group.Image))
                .ToDictionary(guest => guest.Name),
            Silences = [.. Concerning("silence", scenario.Silences)],
            Restarts = [.. Concerning("restart", scenario.Restarts).OrderBy(one => one.At)],
        };

        IEnumerable<Interruption> Concerning(string kind, IReadOnlyList<Interruption> all) =>
            all.Where((one, at) => decisions.Concerns(kind, at, one, group.Name, name));
    }
}
