using NodaTime;
using NodaTime.Text;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>A window in parts of text: its JSON form, and what its one-line form is split into.</summary>
public sealed record WindowForm
{
    /// <summary><c>2026-12-24</c>, <c>daily</c>, <c>Monday,Thursday</c>, <c>day 15</c>, <c>last day</c>, <c>second Tuesday</c>, <c>last Friday</c>.</summary>
    public string? Recurrence { get; init; }

    /// <summary>Local time, <c>02:00</c>.</summary>
    public string? Start { get; init; }

    /// <summary>Name in the IANA time zone data, <c>Europe/Berlin</c>.</summary>
    public string? Zone { get; init; }

    /// <summary><c>3h</c>; 1 minute to 7 days.</summary>
    public string? Length { get; init; }

    /// <summary>First and last local date on which it may start, <c>2026-01-01</c>; null: no bound.</summary>
    public string? From { get; init; }
    public string? To { get; init; }

    /// <summary>Splits the one-line form; null and a violation when its parts cannot be told apart. What the parts hold is not looked at.</summary>
    public static WindowForm? FromText(string text, string field, ICollection<Violation> violations)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        int start = Array.FindIndex(words, word => word.Contains(':'));
        if (start > 0 && words[(start + 1)..] is [var zone, "for", var length, .. var bounds])
        {
            WindowForm form = new()
            {
                Recurrence = string.Join(' ', words[..start]),
                Start = words[start],
                Zone = zone,
                Length = length,
            };
            switch (bounds)
            {
                case []:
                    return form;
                case ["from", var from]:
                    return form with { From = from };
                case ["to", var to]:
                    return form with { To = to };
                case ["from", var from, "to", var to]:
                    return form with { From = from, To = to };
            }
        }

        violations.Add(new Violation(
            field, $"'{text}' is not DAYS START ZONE for LENGTH [from DATE] [to DATE], such as 'second Tuesday 02:00 Europe/Berlin for 3h'."));
        return null;
    }

    public static WindowForm Of(MaintenanceWindow window) => new()
    {
        Recurrence = RecurrenceText.Format(window.Recurrence),
        Start = LocalTimeText.Format(window.Start),
        Zone = window.Zone.Id,
        Length = DurationText.Format(window.Length),
        From = window.From is { } from ? LocalDatePattern.Iso.Format(from) : null,
        To = window.To is { } to ? LocalDatePattern.Iso.Format(to) : null,
    };

    /// <summary>Null, and every error with the path of its part, when it is no window.</summary>
    public MaintenanceWindow? Read(string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        Windows.Recurrence? recurrence = RecurrenceText.Parse(Recurrence ?? "", $"{field}.recurrence", violations);
        LocalTime start = LocalTimeText.Read(Start, $"{field}.start", violations);
        DateTimeZone? zone = ZoneText.Read(Zone, $"{field}.zone", violations);
        Duration length = DurationText.Read(
            Length ?? "", $"{field}.length", Duration.Zero, MaintenanceWindow.ShortestLength, MaintenanceWindow.LongestLength, violations);
        LocalDate? from = Date(From, $"{field}.from", violations);
        LocalDate? to = Date(To, $"{field}.to", violations);
        if (recurrence is Windows.Recurrence.Once && (From ?? To) is not null)
        {
            violations.Add(new Violation($"{field}.{(From is null ? "to" : "from")}", "A window on a single date has no first or last date."));
        }
        else if (from > to)
        {
            violations.Add(new Violation($"{field}.to", $"The last date ({To}) is before the first ({From})."));
        }

        return violations.Count > before ? null : new MaintenanceWindow
        {
            Recurrence = recurrence!,
            Start = start,
            Zone = zone!,
            Length = length,
            From = from,
            To = to,
        };
    }

    /// <summary>The one-line form.</summary>
    public override string ToString() =>
        $"{Recurrence} {Start} {Zone} for {Length}{(From is null ? "" : $" from {From}")}{(To is null ? "" : $" to {To}")}";

    private static LocalDate? Date(string? text, string field, ICollection<Violation> violations)
    {
        if (text is null)
        {
            return null;
        }

        ParseResult<LocalDate> date = LocalDatePattern.Iso.Parse(text);
        if (!date.Success)
        {
            violations.Add(new Violation(field, $"'{text}' is no date such as 2026-12-24."));
        }

        return date.Success ? date.Value : null;
    }
}
