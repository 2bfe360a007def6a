using NodaTime;
using NodaTime.Text;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Selection;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>A blackout calendar as text: its JSON form.</summary>
public sealed record CalendarForm
{
    /// <summary>1 to 63 letters, digits, <c>-</c>, <c>_</c> and <c>.</c>.</summary>
    public string? Name { get; init; }

    /// <summary>Name in the IANA time zone data.</summary>
    public string? Zone { get; init; }
    public IReadOnlyList<BlackoutForm>? Blackouts { get; init; }

    public static CalendarForm Of(BlackoutCalendar calendar) => new()
    {
        Name = calendar.Name,
        Zone = calendar.Zone.Id,
        Blackouts = [.. calendar.Blackouts.Select(BlackoutForm.Of)],
    };

    /// <summary>Null, and every error with its path (<c>FIELD.blackouts[1].to</c>; <c>blackouts[1].to</c> when <paramref name="field"/> is empty), when it is no calendar.</summary>
    public BlackoutCalendar? Read(string field, ICollection<Violation> violations)
    {
        string path = field.Length == 0 ? "" : field + ".";
        int before = violations.Count;
        LabelRules.CheckName(Name, $"{path}name", violations);
        DateTimeZone? zone = ZoneText.Read(Zone, $"{path}zone", violations);
        Blackout[] blackouts = [.. Items.Read(Blackouts, $"{path}blackouts", (form, at, all) => form.Read(at, all), violations).OfType<Blackout>()];
        return violations.Count > before ? null : new BlackoutCalendar { Name = Name!, Zone = zone!, Blackouts = blackouts };
    }
}

/// <summary>One entry of a calendar.</summary>
public sealed record BlackoutForm
{
    public const int LongestName = 100;

    private static readonly LocalDateTimePattern _time = LocalDateTimePattern.CreateWithInvariantCulture("uuuu-MM-dd'T'HH:mm");

    /// <summary>For people, 1 to 100 characters: <c>Christmas</c>.</summary>
    public string? Name { get; init; }

    /// <summary>A date (<c>2026-12-24</c>: from its beginning) or a local time (<c>2026-12-24T18:00</c>).</summary>
    public string? From { get; init; }

    /// <summary>A date (the whole of it is included) or a local time (not included); null: the whole of <see cref="From"/>, when that is a date.</summary>
    public string? To { get; init; }

    internal static BlackoutForm Of(Blackout blackout) => new()
    {
        Name = blackout.Name,
        From = Format(blackout.Start, blackout.Start.Date),
        To = Format(blackout.End, blackout.End.Date.PlusDays(-1)),
    };

    internal Blackout? Read(string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        if (Name is not { Length: >= 1 and <= LongestName })
        {
            violations.Add(new Violation($"{field}.name", $"A blackout has a name of 1 to {LongestName} characters."));
        }

        LocalDateTime? start = Time(From ?? "", $"{field}.from", 0, violations);
        LocalDateTime? end = null;
        if (To is not null)
        {
            end = Time(To, $"{field}.to", 1, violations);
        }
        else if (start is not null && From!.Contains('T'))
        {
            violations.Add(new Violation($"{field}.to", "A blackout from a local time on has an end."));
        }
        else
        {
            end = start?.PlusDays(1);
        }

        if (start >= end)
        {
            violations.Add(new Violation($"{field}.to", $"The end ({To}) is not after the start ({From})."));
        }

        return violations.Count > before ? null : new Blackout(Name!, start!.Value, end!.Value);
    }

    private static string Format(LocalDateTime time, LocalDate date) =>
        time.TimeOfDay == LocalTime.Midnight ? LocalDatePattern.Iso.Format(date) : _time.Format(time);

    private static LocalDateTime? Time(string text, string field, int daysAfterDate, ICollection<Violation> violations)
    {
        if (LocalDatePattern.Iso.Parse(text) is { Success: true } date)
        {
            return date.Value.PlusDays(daysAfterDate).AtMidnight();
        }

        if (_time.Parse(text) is { Success: true } time)
        {
            return time.Value;
        }

        violations.Add(new Violation(field, $"'{text}' is neither a date such as 2026-12-24 nor a local time such as 2026-12-24T18:00."));
        return null;
    }
}
