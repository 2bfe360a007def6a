using NodaTime;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>
/// The windows and blackouts of a rollout together: open where any window is open and no blackout holds; what overlaps or touches is
/// one opening. No windows at all means always, but for the blackouts. Searches go <see cref="Horizon"/> ahead and no further.
/// </summary>
public sealed class WindowSet
{
    /// <summary>How far ahead an opening is looked for: two years of 366 days. What opens later counts as never.</summary>
    public static readonly Duration Horizon = Duration.FromDays(2 * 366);

    public WindowSet(IReadOnlyList<MaintenanceWindow> windows, IReadOnlyList<BlackoutCalendar> blackouts)
    {
        Windows = windows;
        Blackouts = blackouts;
    }

    /// <summary>No windows, no blackouts.</summary>
    public static WindowSet Always { get; } = new([], []);

    public IReadOnlyList<MaintenanceWindow> Windows { get; }
    public IReadOnlyList<BlackoutCalendar> Blackouts { get; }

    public bool IsOpenAt(Instant now) => throw new NotImplementedException();

    /// <summary>The end of the opening that holds <paramref name="now"/>; null when it is not open, or does not close within the horizon.</summary>
    public Instant? ClosesAt(Instant now) => throw new NotImplementedException();

    /// <summary>
    /// The first opening that begins after <paramref name="after"/>; null when none does within the horizon. An end beyond the horizon
    /// is left out (<see cref="Interval.HasEnd"/> is false).
    /// </summary>
    public Interval? NextOpening(Instant after) => throw new NotImplementedException();

    /// <summary>The openings that end after <paramref name="from"/> and begin before <paramref name="until"/>, in order; lazy, at most <see cref="Horizon"/>.</summary>
    public IEnumerable<Interval> Openings(Instant from, Instant until) => throw new NotImplementedException();

    /// <summary>
    /// Whether something that takes <paramref name="predicted"/>, and <paramref name="rollback"/> more when it goes wrong, ends before the
    /// opening closes when it starts at <paramref name="now"/>; and if not, from when on it does.
    /// </summary>
    public WindowFit Fits(Instant now, Duration predicted, Duration rollback) => throw new NotImplementedException();

    /// <summary>A violation at <paramref name="field"/> for a set that never opens from <paramref name="now"/> on, and at <c>FIELD[i]</c> for each window that does not.</summary>
    public void Check(Instant now, string field, ICollection<Violation> violations) => throw new NotImplementedException();
}
