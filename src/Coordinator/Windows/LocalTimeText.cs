using NodaTime;
using NodaTime.Text;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>Local times in whole minutes, as people write them: <c>02:00</c>, <c>2:00</c>.</summary>
internal static class LocalTimeText
{
    private static readonly LocalTimePattern _read = LocalTimePattern.CreateWithInvariantCulture("H:mm");
    private static readonly LocalTimePattern _write = LocalTimePattern.CreateWithInvariantCulture("HH:mm");

    public static string Format(LocalTime time) => _write.Format(time);

    /// <summary>Midnight, and a violation, when it is none.</summary>
    public static LocalTime Read(string? text, string field, ICollection<Violation> violations)
    {
        if (_read.Parse(text ?? "") is { Success: true } time)
        {
            return time.Value;
        }

        violations.Add(new Violation(field, $"'{text}' is no local time from 00:00 to 23:59."));
        return default;
    }
}
