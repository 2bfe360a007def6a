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

    private readonly IReadOnlyList<(Interval Time, string Name)> _blackouts;

    public WindowSet(IReadOnlyList<MaintenanceWindow> windows, IReadOnlyList<BlackoutCalendar> blackouts)
    {
        Windows = windows;
        Blackouts = blackouts;
        _blackouts = [.. blackouts.SelectMany(calendar => calendar.Times()).OrderBy(blackout => blackout.Time.Start)];
    }

    /// <summary>No windows, no blackouts.</summary>
    public static WindowSet Always { get; } = new([], []);

    public IReadOnlyList<MaintenanceWindow> Windows { get; }
    public IReadOnlyList<BlackoutCalendar> Blackouts { get; }

    public bool IsOpenAt(Instant now) => Pieces(now, now + Duration.Epsilon).Any(piece => piece.Start == now);

    /// <summary>The end of the opening that holds <paramref name="now"/>; null when it is not open, or does not close within the horizon.</summary>
    public Instant? ClosesAt(Instant now) =>
        Openings(now, now + Duration.Epsilon).FirstOrDefault() is { HasEnd: true } opening && opening.Contains(now) ? opening.End : null;

    /// <summary>
    /// The first opening that begins after <paramref name="after"/>; null when none does within the horizon. An end beyond the horizon
    /// is left out (<see cref="Interval.HasEnd"/> is false).
    /// </summary>
    public Interval? NextOpening(Instant after)
    {
        foreach (Interval opening in Openings(after, after + Horizon))
        {
            if (opening.Start > after)
            {
                return opening;
            }
        }

        return null;
    }

    /// <summary>
    /// The openings that end after <paramref name="from"/> and begin before <paramref name="until"/>, in order, at most
    /// <see cref="Horizon"/> ahead; one that began before <paramref name="from"/> begins there. Lazy.
    /// </summary>
    public IEnumerable<Interval> Openings(Instant from, Instant until)
    {
        Instant horizon = from + Horizon;
        return Pieces(from, horizon)
            .TakeWhile(piece => piece.Start < until)
            .Select(piece => new Interval(piece.Start, piece.End < horizon ? piece.End : null));
    }

    /// <summary>
    /// Whether something that takes <paramref name="predicted"/>, and <paramref name="rollback"/> more when it goes wrong, ends before the
    /// opening closes when it starts at <paramref name="now"/>; and if not, from when on it does.
    /// </summary>
    public WindowFit Fits(Instant now, Duration predicted, Duration rollback)
    {
        Instant horizon = now + Horizon;
        Duration need = predicted + rollback;
        (Instant Start, Instant End)? first = null;
        foreach ((Instant start, Instant end) in Pieces(now, horizon + need).TakeWhile(piece => piece.Start < horizon))
        {
            first ??= (start, end);
            if (end - start >= need)
            {
                return new WindowFit(start == now, start, end < horizon ? end : null, start == now
                    ? ""
                    : $"{WhyNotNow(now, first.Value, predicted, rollback)} It can start at {Say(start)}.");
            }
        }

        string never = first is null
            ? $"No window opens within {Horizon.Days} days."
            : $"No opening within {Horizon.Days} days is long enough for {Say(predicted, rollback)}.";
        return new WindowFit(false, null, null, never);
    }

    /// <summary>A violation at <paramref name="field"/> for a set that never opens from <paramref name="now"/> on, and at <c>FIELD[i]</c> for each window that does not.</summary>
    public void Check(Instant now, string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        CheckEach(Windows, now, field, violations);
        if (violations.Count == before)
        {
            CheckTogether(now, field, violations);
        }
    }

    internal static void CheckEach(IReadOnlyList<MaintenanceWindow?> windows, Instant now, string field, ICollection<Violation> violations)
    {
        foreach ((int at, MaintenanceWindow? window) in windows.Index())
        {
            if (window is not null && !window.Openings(now, now + Horizon).Any())
            {
                violations.Add(new Violation($"{field}[{at}]", $"The window '{window}' never opens within {Horizon.Days} days."));
            }
        }
    }

    internal void CheckTogether(Instant now, string field, ICollection<Violation> violations)
    {
        if (!Openings(now, now + Horizon).Any())
        {
            violations.Add(new Violation(field, $"Blackouts leave no time open within {Horizon.Days} days."));
        }
    }

    private string WhyNotNow(Instant now, (Instant Start, Instant End) first, Duration predicted, Duration rollback)
    {
        if (first.Start == now)
        {
            return $"The window closes at {Say(first.End)}, too early for {Say(predicted, rollback)}.";
        }

        return _blackouts.FirstOrDefault(blackout => blackout.Time.Contains(now)) is { Name: { } name } blackout
            ? $"Blackout '{name}' holds until {Say(blackout.Time.End)}."
            : "No window is open.";
    }

    private string Say(Instant instant)
    {
        DateTimeZone zone = Windows.Count > 0 ? Windows[0].Zone : DateTimeZone.Utc;
        return $"{instant.InZone(zone).LocalDateTime:uuuu-MM-dd HH:mm} {zone.Id}";
    }

    private static string Say(Duration predicted, Duration rollback) =>
        $"{DurationText.Format(predicted)} and {DurationText.Format(rollback)} for a roll-back";

    /// <summary>The merged windows less the blackouts, from <paramref name="from"/> on; ends at or after <paramref name="enough"/> need not be the true ones.</summary>
    private IEnumerable<(Instant Start, Instant End)> Pieces(Instant from, Instant enough)
    {
        foreach ((Instant start, Instant end) in Merged(from, enough))
        {
            Instant at = Instant.Max(start, from);
            foreach ((Interval blackout, _) in _blackouts)
            {
                if (blackout.End <= at)
                {
                    continue;
                }

                if (blackout.Start >= end)
                {
                    break;
                }

                if (blackout.Start > at)
                {
                    yield return (at, blackout.Start);
                }

                at = blackout.End;
            }

            if (at < end)
            {
                yield return (at, end);
            }
        }
    }

    private IEnumerable<(Instant Start, Instant End)> Merged(Instant from, Instant enough)
    {
        if (Windows.Count == 0)
        {
            yield return (from, Instant.MaxValue);
            yield break;
        }

        PriorityQueue<IEnumerator<Interval>, Instant> next = new();
        foreach (MaintenanceWindow window in Windows)
        {
            Enqueue(window.Openings(from, enough).GetEnumerator());
        }

        (Instant Start, Instant End)? open = null;
        while (next.TryDequeue(out IEnumerator<Interval>? window, out _))
        {
            Interval opening = window.Current;
            if (open is { } merged && opening.Start <= merged.End)
            {
                open = (merged.Start, Instant.Max(merged.End, opening.End));
            }
            else
            {
                if (open is { } complete)
                {
                    yield return complete;
                }

                open = (opening.Start, opening.End);
            }

            Enqueue(window);
        }

        if (open is { } last)
        {
            yield return last;
        }

        void Enqueue(IEnumerator<Interval> window)
        {
            if (window.MoveNext())
            {
                next.Enqueue(window, window.Current.Start);
            }
        }
    }
}
