using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Simulator.Scenarios;

/// <summary>What is simulated, as a file of JSON says it; <see cref="ScenarioReader"/> reads it.</summary>
internal sealed record Scenario
{
    /// <summary>Two runs with the same seed decide the same.</summary>
    public required long Seed { get; init; }

    /// <summary>How much faster than said everything goes but heartbeats: 0.01 to 10,000.</summary>
    public required double TimeScale { get; init; }

    /// <summary>Time between two heartbeats of a host, real time: 100 ms to 5 min.</summary>
    public required TimeSpan Heartbeat { get; init; }

    /// <summary>Held by every host.</summary>
    public required IReadOnlyList<ImageReport> Images { get; init; }

    public required IReadOnlyList<HostGroup> Hosts { get; init; }

    /// <summary>Every step that a command may ask for.</summary>
    public required IReadOnlyDictionary<UpgradeStep, StepBehaviour> Steps { get; init; }

    /// <summary>The longest gap that the observer of a cut-over sees. Not scaled: nobody waits for it.</summary>
    public required Latency Outage { get; init; }

    public required IReadOnlyList<Interruption> Silences { get; init; }

    public required IReadOnlyList<Interruption> Restarts { get; init; }

    /// <summary>Real time for a time of the scenario.</summary>
    public TimeSpan Scaled(TimeSpan time) => time / TimeScale;
}

/// <summary>Hosts of a kind.</summary>
/// <param name="Name">Hosts are called NAME-1, NAME-2, ..., with leading zeros.</param>
/// <param name="Count">How many.</param>
/// <param name="Guests">On each; they are called g1, g2, ...</param>
/// <param name="Image">What the guests run at first.</param>
/// <param name="Labels">Values of each key in turn, so that every combination comes up when there are hosts enough.</param>
/// <param name="GuestLabels">The same for the guests of a host.</param>
internal sealed record HostGroup(
    string Name, int Count, int Guests, ImageReport Image,
    IReadOnlyDictionary<string, IReadOnlyList<string>> Labels, IReadOnlyDictionary<string, IReadOnlyList<string>> GuestLabels)
{
    /// <param name="number">From 1.</param>
    public string HostName(int number) => $"{Name}-{number.ToString($"D{Count.ToString(System.Globalization.CultureInfo.InvariantCulture).Length}", System.Globalization.CultureInfo.InvariantCulture)}";

    /// <summary>The labels of the one at <paramref name="index"/>, from 0: digits of a number in a mixed base.</summary>
    public static Dictionary<string, string> LabelsAt(IReadOnlyDictionary<string, IReadOnlyList<string>> labels, int index)
    {
        Dictionary<string, string> chosen = [];
        foreach ((string key, IReadOnlyList<string> values) in labels)
        {
            chosen[key] = values[index % values.Count];
            index /= values.Count;
        }

        return chosen;
    }
}

/// <summary>How a step goes.</summary>
internal sealed record StepBehaviour(Latency Latency, IReadOnlyList<StepFault> Faults);

/// <summary>A way in which a step fails.</summary>
/// <param name="Kind"><see cref="UpgradeFailure.HostAgentSilent"/>: there is never a result.</param>
/// <param name="Probability">0 to 1; those of a step together at most 1.</param>
internal sealed record StepFault(UpgradeFailure Kind, double Probability);

/// <summary>A time in which some hosts do not do as usual.</summary>
/// <param name="Group">Of the hosts; null: all.</param>
/// <param name="Share">Of them, 0 to 1; the seed chooses which.</param>
/// <param name="At">From the start of the simulation.</param>
/// <param name="Length">How long.</param>
internal sealed record Interruption(string? Group, double Share, TimeSpan At, TimeSpan Length);
