using NodaTime;
using NodaTime.TimeZones;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>
/// A recurring time in which upgrades may run. The start is a local time in an IANA zone: one that a change of the clocks leaves out is
/// the end of the gap; one that comes twice is the earlier. The length is elapsed time, whatever the clocks do meanwhile.
/// </summary>
public sealed record MaintenanceWindow
{
    /// <summary>Shortest and longest <see cref="Length"/>.</summary>
    public static readonly Duration ShortestLength = Duration.FromMinutes(1), LongestLength = Duration.FromDays(7);

    /// <summary>What a local start time means when the clocks change.</summary>
    internal static readonly ZoneLocalMappingResolver StartResolver =
        Resolvers.CreateMappingResolver(Resolvers.ReturnEarlier, Resolvers.ReturnStartOfIntervalAfter);

    public required Recurrence Recurrence { get; init; }

    /// <summary>Local, whole minutes.</summary>
    public required LocalTime Start { get; init; }
    public required DateTimeZone Zone { get; init; }

    /// <summary>Whole seconds, <see cref="ShortestLength"/> to <see cref="LongestLength"/>.</summary>
    public required Duration Length { get; init; }

    /// <summary>First and last local date on which it may start, both included; null: no bound.</summary>
    public LocalDate? From { get; init; }
    public LocalDate? To { get; init; }

    /// <summary>
    /// Reads <c>RECURRENCE START ZONE for LENGTH [from DATE] [to DATE]</c>, such as <c>second Tuesday 02:00 Europe/Berlin for 3h</c>.
    /// Null, and every error at <c>FIELD.recurrence</c>, <c>.start</c>, <c>.zone</c>, <c>.length</c>, <c>.from</c>, <c>.to</c>, when it is none.
    /// </summary>
    public static MaintenanceWindow? Parse(string text, string field, ICollection<Violation> violations) =>
        WindowForm.FromText(text, field, violations)?.Read(field, violations);

    /// <summary>The text that <see cref="Parse"/> reads as an equal window.</summary>
    public override string ToString() => WindowForm.Of(this).ToString();

    /// <summary>The openings that end after <paramref name="after"/> and start before <paramref name="until"/>, in order of their starts.</summary>
    internal IEnumerable<Interval> Openings(Instant after, Instant until)
    {
        // A window that began days ago may still be open.
        LocalDate first = Later(after.InZone(Zone).Date.PlusDays(-(int)LongestLength.TotalDays - 1), From);
        LocalDate last = until.InZone(Zone).Date.PlusDays(1);
        if (Recurrence is Recurrence.Once once)
        {
            (first, last) = (Later(first, once.Date), once.Date);
        }

        if (To is { } to && to < last)
        {
            last = to;
        }

        for (LocalDate date = first; date <= last; date = date.PlusDays(1))
        {
            if (!Recurrence.StartsOn(date))
            {
                continue;
            }

            Instant start = (date + Start).InZone(Zone, StartResolver).ToInstant();
            if (start >= until)
            {
                yield break;
            }

            if (start + Length > after)
            {
                yield return new Interval(start, start + Length);
            }
        }
    }

    private static LocalDate Later(LocalDate one, LocalDate? other) => other > one ? other.Value : one;
}
