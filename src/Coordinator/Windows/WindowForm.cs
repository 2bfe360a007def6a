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
    public static WindowForm? FromText(string text, string field, ICollection<Violation> violations) => throw new NotImplementedException();

    public static WindowForm Of(MaintenanceWindow window) => throw new NotImplementedException();

    /// <summary>Null, and every error with the path of its part, when it is no window.</summary>
    public MaintenanceWindow? Read(string field, ICollection<Violation> violations) => throw new NotImplementedException();

    /// <summary>The one-line form.</summary>
    public override string ToString() => throw new NotImplementedException();
}
