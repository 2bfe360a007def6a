using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>A blackout calendar as text: its JSON form.</summary>
public sealed record CalendarForm
{
    /// <summary>1 to 63 letters, digits, <c>-</c>, <c>_</c> and <c>.</c>.</summary>
    public string? Name { get; init; }

    /// <summary>Name in the IANA time zone data.</summary>
    public string? Zone { get; init; }
    public IReadOnlyList<BlackoutForm>? Blackouts { get; init; }

    public static CalendarForm Of(BlackoutCalendar calendar) => throw new NotImplementedException();

    /// <summary>Null, and every error with its path (<c>FIELD.blackouts[1].to</c>), when it is no calendar.</summary>
    public BlackoutCalendar? Read(string field, ICollection<Violation> violations) => throw new NotImplementedException();
}

/// <summary>One entry of a calendar.</summary>
public sealed record BlackoutForm
{
    /// <summary>For people, 1 to 100 characters: <c>Christmas</c>.</summary>
    public string? Name { get; init; }

    /// <summary>A date (<c>2026-12-24</c>: from its beginning) or a local time (<c>2026-12-24T18:00</c>).</summary>
    public string? From { get; init; }

    /// <summary>A date (the whole of it is included) or a local time (not included); null: the whole of <see cref="From"/>, when that is a date.</summary>
    public string? To { get; init; }
}
