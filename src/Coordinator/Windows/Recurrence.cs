using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Windows;

/// <summary>Days of a week, any number of them.</summary>
[Flags]
public enum Weekdays
{
    None = 0,
    Monday = 1,
    Tuesday = 2,
    Wednesday = 4,
    Thursday = 8,
    Friday = 16,
    Saturday = 32,
    Sunday = 64,
    All = 127,
}

/// <summary>Which of its weekdays in a month.</summary>
public enum WeekOfMonth
{
    First = 1,
    Second = 2,
    Third = 3,
    Fourth = 4,

    /// <summary>The fourth or the fifth.</summary>
    Last = 5,
}

/// <summary>On which local dates a window starts.</summary>
public abstract record Recurrence
{
    private Recurrence()
    {
    }

    /// <summary>Whether a window starts on <paramref name="date"/>.</summary>
    public abstract bool StartsOn(LocalDate date);

    /// <summary><c>2026-12-24</c>.</summary>
    public sealed record Once(LocalDate Date) : Recurrence
    {
        public override bool StartsOn(LocalDate date) => date == Date;

        public override string ToString() => RecurrenceText.Format(this);
    }

    /// <summary><c>daily</c>.</summary>
    public sealed record Daily : Recurrence
    {
        public override bool StartsOn(LocalDate date) => true;

        public override string ToString() => RecurrenceText.Format(this);
    }

    /// <summary><c>Monday,Thursday</c>.</summary>
    public sealed record Weekly(Weekdays Days) : Recurrence
    {
        public override bool StartsOn(LocalDate date) => (Days & date.DayOfWeek.ToWeekdays()) != 0;

        public override string ToString() => RecurrenceText.Format(this);
    }

    /// <summary><c>day 15</c>; a month that has no such day is left out. <c>last day</c>: <see cref="LastDay"/>.</summary>
    public sealed record MonthlyDay(int Day) : Recurrence
    {
        /// <summary>The last day of each month, 28 to 31.</summary>
        public const int LastDay = -1;

        public override bool StartsOn(LocalDate date) =>
            date.Day == (Day == LastDay ? date.Calendar.GetDaysInMonth(date.Year, date.Month) : Day);

        public override string ToString() => RecurrenceText.Format(this);
    }

    /// <summary><c>second Tuesday</c>, <c>last Friday</c>.</summary>
    public sealed record MonthlyWeekday(WeekOfMonth Week, IsoDayOfWeek Day) : Recurrence
    {
        public override bool StartsOn(LocalDate date) => date.DayOfWeek == Day && (Week == WeekOfMonth.Last
            ? date.Day > date.Calendar.GetDaysInMonth(date.Year, date.Month) - 7
            : (date.Day - 1) / 7 + 1 == (int)Week);

        public override string ToString() => RecurrenceText.Format(this);
    }
}
