using NodaTime;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>
/// A recurring moment: a local time in an IANA zone, on the days of a recurrence. It comes once a day at most, whatever the clocks do:
/// what a change leaves out is the end of the gap, what comes twice is the earlier.
/// </summary>
/// <param name="Recurrence">The local dates.</param>
/// <param name="At">Local, whole minutes.</param>
/// <param name="Zone">Of the IANA time zone data.</param>
public sealed record ScheduleTime(Recurrence Recurrence, LocalTime At, DateTimeZone Zone)
{
    /// <summary>
    /// Reads <c>DAYS TIME ZONE</c>, such as <c>second Tuesday 02:00 Europe/Berlin</c>. Null, and every error at <c>FIELD.recurrence</c>,
    /// <c>.at</c>, <c>.zone</c>, when it is none.
    /// </summary>
    public static ScheduleTime? Parse(string text, string field, ICollection<Violation> violations)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        int at = Array.FindIndex(words, word => word.Contains(':'));
        if (at > 0 && at + 2 == words.Length)
        {
            return Read(string.Join(' ', words[..at]), words[at], words[at + 1], field, violations);
        }

        violations.Add(new Violation(field, $"'{text}' is not DAYS TIME ZONE, such as 'second Tuesday 02:00 Europe/Berlin'."));
        return null;
    }

    /// <summary>As <see cref="Parse"/>, of the parts.</summary>
    public static ScheduleTime? Read(string recurrence, string at, string zone, string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        Recurrence? days = RecurrenceText.Parse(recurrence, $"{field}.recurrence", violations);
        LocalTime time = LocalTimeText.Read(at, $"{field}.at", violations);
        DateTimeZone? known = ZoneText.Read(zone, $"{field}.zone", violations);
        return violations.Count > before ? null : new ScheduleTime(days!, time, known!);
    }

    /// <summary>The text that <see cref="Parse"/> reads as an equal time.</summary>
    public override string ToString() => $"{RecurrenceText.Format(Recurrence)} {LocalTimeText.Format(At)} {Zone.Id}";

    /// <summary>The moments after <paramref name="after"/>, in order, up to <see cref="WindowSet.Horizon"/> ahead. Lazy.</summary>
    public IEnumerable<Instant> After(Instant after)
    {
        Instant last = after;
        Instant horizon = after + WindowSet.Horizon;
        for (LocalDate date = after.InZone(Zone).Date.PlusDays(-1); ; date = date.PlusDays(1))
        {
            Instant moment = (date + At).InZone(Zone, MaintenanceWindow.StartResolver).ToInstant();
            if (moment > horizon)
            {
                yield break;
            }

            if (moment > last && Recurrence.StartsOn(date))
            {
                last = moment;
                yield return moment;
            }
        }
    }

    /// <summary>The first moment after <paramref name="after"/>; null: none comes within the horizon.</summary>
    public Instant? Next(Instant after) => After(after).Select(moment => (Instant?)moment).FirstOrDefault();

    /// <summary>A moment on the clocks of the zone.</summary>
    public string Local(Instant moment) => $"{moment.InZone(Zone).LocalDateTime:uuuu-MM-dd HH:mm} {Zone.Id}";
}
