using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>
/// Named times in which nothing starts and nothing may still run, whatever the windows say. Its local times cover as much as they can
/// mean: a start that comes twice is the earlier, an end that comes twice the later, what a gap leaves out is the gap's end.
/// </summary>
public sealed record BlackoutCalendar
{
    public required string Name { get; init; }
    public required DateTimeZone Zone { get; init; }
    public required IReadOnlyList<Blackout> Blackouts { get; init; }
}

/// <summary>From <paramref name="Start"/> until just before <paramref name="End"/>, local times of the calendar's zone.</summary>
public sealed record Blackout(string Name, LocalDateTime Start, LocalDateTime End);
