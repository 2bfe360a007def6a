using System.Globalization;
using NodaTime;
using NodaTime.Text;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>Recurrences as people write them.</summary>
internal static class RecurrenceText
{
    private const string Forms =
        "a date (2026-12-24), daily, days of the week (Monday,Thursday), day 1 to day 31, last day, or first, second, third, fourth or last and a day of the week";

    private static readonly IsoDayOfWeek[] _week = [.. Enumerable.Range(1, 7).Select(day => (IsoDayOfWeek)day)];

    public static Weekdays ToWeekdays(this IsoDayOfWeek day) => (Weekdays)(1 << ((int)day - 1));

    public static string Format(Recurrence recurrence) => recurrence switch
    {
        Recurrence.Once once => LocalDatePattern.Iso.Format(once.Date),
        Recurrence.Daily => "daily",
        Recurrence.Weekly weekly => string.Join(',', _week.Where(day => (weekly.Days & day.ToWeekdays()) != 0)),
        Recurrence.MonthlyDay { Day: Recurrence.MonthlyDay.LastDay } => "last day",
        Recurrence.MonthlyDay monthly => $"day {monthly.Day.ToString(CultureInfo.InvariantCulture)}",
        Recurrence.MonthlyWeekday monthly => $"{monthly.Week.ToString().ToLowerInvariant()} {monthly.Day}",
        _ => throw new ArgumentOutOfRangeException(nameof(recurrence)),
    };

    public static Recurrence? Parse(string text, string field, ICollection<Violation> violations)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        Recurrence? recurrence = words switch
        {
            [var one] when Is(one, "daily") => new Recurrence.Daily(),
            [var one] when LocalDatePattern.Iso.Parse(one) is { Success: true } date => new Recurrence.Once(date.Value),
            [var first, var second] when Is(first, "last") && Is(second, "day") => new Recurrence.MonthlyDay(Recurrence.MonthlyDay.LastDay),
            [var first, var second] when Is(first, "day") && int.TryParse(second, NumberStyles.None, CultureInfo.InvariantCulture, out int day)
                && day is >= 1 and <= 31 => new Recurrence.MonthlyDay(day),
            [var first, var second] when Week(first) is { } week && Day(second) is { } day => new Recurrence.MonthlyWeekday(week, day),
            { Length: > 0 } => Weekly(string.Concat(words)),
            _ => null,
        };
        if (recurrence is null)
        {
            violations.Add(new Violation(field, $"'{text}' does not say on which days: {Forms}."));
        }

        return recurrence;
    }

    private static Recurrence.Weekly? Weekly(string text)
    {
        Weekdays days = Weekdays.None;
        foreach (string one in text.Split(','))
        {
            if (Day(one) is not { } day)
            {
                return null;
            }

            days |= day.ToWeekdays();
        }

        return new Recurrence.Weekly(days);
    }

    /// <summary>The whole name of a day, or its first three letters.</summary>
    private static IsoDayOfWeek? Day(string text)
    {
        int at = Array.FindIndex(_week, day => Is(text, day.ToString()) || Is(text, day.ToString()[..3]));
        return at < 0 ? null : _week[at];
    }

    private static WeekOfMonth? Week(string text) =>
        Enum.GetValues<WeekOfMonth>().Where(week => Is(text, week.ToString())).Select(week => (WeekOfMonth?)week).FirstOrDefault();

    private static bool Is(string text, string word) => text.Equals(word, StringComparison.OrdinalIgnoreCase);
}
