using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>
/// How long something will take: the 95th percentile (nearest rank) of the guest's own past when there are <see cref="EnoughSeen"/> or more
/// of it, else of the whole fleet's, else a default.
/// </summary>
public static class DurationPrediction
{
    public const int EnoughSeen = 5;
    public static readonly Duration DefaultUpgrade = Duration.FromMinutes(10), DefaultRollback = Duration.FromMinutes(2);

    public static Duration Upgrade(IReadOnlyList<Duration> ofGuest, IReadOnlyList<Duration> ofFleet) =>
        ofGuest.Count >= EnoughSeen ? P95(ofGuest) : ofFleet.Count > 0 ? P95(ofFleet) : DefaultUpgrade;

    public static Duration Rollback(IReadOnlyList<Duration> ofFleet) => ofFleet.Count > 0 ? P95(ofFleet) : DefaultRollback;

    /// <summary>The smallest of <paramref name="seen"/> that at least 95 percent do not exceed.</summary>
    /// <exception cref="ArgumentException">Nothing was seen.</exception>
    public static Duration P95(IReadOnlyList<Duration> seen) => seen.Count > 0
        ? seen.Order().ElementAt((seen.Count * 95 + 99) / 100 - 1)
        : throw new ArgumentException("Nothing was seen.", nameof(seen));
}
