using NodaTime;
using NodaTime.TimeZones;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>
/// Named times in which nothing starts and nothing may still run, whatever the windows say. Its local times cover as much as they can
/// mean: a start that comes twice is the earlier, an end that comes twice the later, what a gap leaves out is the gap's end.
/// </summary>
public sealed record BlackoutCalendar
{
    private static readonly ZoneLocalMappingResolver
        _start = Resolvers.CreateMappingResolver(Resolvers.ReturnEarlier, Resolvers.ReturnStartOfIntervalAfter),
        _end = Resolvers.CreateMappingResolver(Resolvers.ReturnLater, Resolvers.ReturnStartOfIntervalAfter);

    public required string Name { get; init; }
    public required DateTimeZone Zone { get; init; }
    public required IReadOnlyList<Blackout> Blackouts { get; init; }

    /// <summary>The times themselves; what lies wholly in a gap is none.</summary>
    internal IEnumerable<(Interval Time, string Name)> Times() =>
        from blackout in Blackouts
        let start = blackout.Start.InZone(Zone, _start).ToInstant()
        let end = blackout.End.InZone(Zone, _end).ToInstant()
        where start < end
        select (new Interval(start, end), blackout.Name);
}

/// <summary>From <paramref name="Start"/> until just before <paramref name="End"/>, local times of the calendar's zone.</summary>
public sealed record Blackout(string Name, LocalDateTime Start, LocalDateTime End);
