using TwinKernel.Fleet.Coordinator.Guests;

namespace TwinKernel.Fleet.Coordinator.Limits;

/// <summary>
/// A guest as the limits see it. <paramref name="Healthy"/>: it runs, its agent answers, its host is online, its newest probe succeeded.
/// What is not known counts as not healthy.
/// </summary>
public sealed record FleetMember(GuestId Id, IReadOnlyDictionary<string, string> Labels, bool Healthy);

/// <summary>
/// Limits, and what they count in: the whole fleet with the fleet's limits and those of a rollout, or the guests of one wave with the
/// wave's. Layer <see cref="LimitLayer.Fleet"/> is all of <see cref="Members"/>.
/// </summary>
public sealed record AdmissionScope
{
    public required IReadOnlyList<LayerLimit> Limits { get; init; }
    public required IReadOnlyList<FleetMember> Members { get; init; }

    /// <summary>Guests with an active upgrade, whoever started it. Those that are no members are not counted.</summary>
    public required IReadOnlyCollection<GuestId> Running { get; init; }

    /// <summary>What the scope is called in sentences: <c>the fleet</c>, <c>wave 2</c>.</summary>
    public string Name { get; init; } = "the fleet";

    /// <summary>The guests of one wave, at most <paramref name="most"/> at once.</summary>
    public static AdmissionScope OfWave(string name, Amount most, IReadOnlyList<FleetMember> members, IReadOnlyCollection<GuestId> running) => new()
    {
        Limits = [new LayerLimit { Layer = LimitLayer.Fleet, MaxConcurrent = most }],
        Members = members,
        Running = running,
        Name = name,
    };
}
