namespace TwinKernel.Fleet.Simulator.Tests;

/// <summary>An upgrade as somebody saw it: from when to when, on that one's clock.</summary>
internal sealed record Seen(string Host, string Guest, TimeSpan From, TimeSpan To);

/// <summary>Looks at upgrades after the fact. Knows nothing of how the coordinator counts.</summary>
internal static class FleetEvidence
{
    /// <summary>The most that were under way at once in any group.</summary>
    /// <param name="upgrades">All there were.</param>
    /// <param name="group">Of an upgrade.</param>
    public static int Most(IEnumerable<Seen> upgrades, Func<Seen, string> group) => upgrades.GroupBy(group).Max(all =>
    {
        int now = 0;
        int most = 0;

        // At the same moment an end comes before a beginning.
        foreach ((_, int change) in all.SelectMany(one => new[] { (At: one.From, Change: 1), (At: one.To, Change: -1) }).OrderBy(one => one.At).ThenBy(one => one.Change))
        {
            most = Math.Max(most, now += change);
        }

        return most;
    });
}
