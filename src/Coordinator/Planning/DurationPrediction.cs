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

    /// <summary>Of a guest of which too little was seen.</summary>
    public static Duration Upgrade(IReadOnlyList<Duration> ofFleet) => ofFleet.Count > 0 ? P95(ofFleet) : DefaultUpgrade;

    /// <param name="ofGuest">What was seen of it.</param>
    /// <param name="ofFleet">What is expected of any guest.</param>
    public static Duration Upgrade(IReadOnlyList<Duration> ofGuest, Duration ofFleet) => ofGuest.Count >= EnoughSeen ? P95(ofGuest) : ofFleet;

    public static Duration Rollback(IReadOnlyList<Duration> ofFleet) => ofFleet.Count > 0 ? P95(ofFleet) : DefaultRollback;

    /// <summary>The smallest of <paramref name="seen"/> that at least 95 percent do not exceed.</summary>
    /// <exception cref="ArgumentException">Nothing was seen.</exception>
    public static Duration P95(IReadOnlyList<Duration> seen) => seen.Count > 0
        ? seen.Order().ElementAt((seen.Count * 95 + 99) / 100 - 1)
        : throw new ArgumentException("Nothing was seen.", nameof(seen));
}
