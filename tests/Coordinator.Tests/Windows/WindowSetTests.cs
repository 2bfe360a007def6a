using FsCheck;
using FsCheck.Fluent;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;
using static TwinKernel.Fleet.Coordinator.Tests.Windows.MaintenanceWindowTests;
using Interval = NodaTime.Interval;

namespace TwinKernel.Fleet.Coordinator.Tests.Windows;

public sealed class WindowSetTests
{
    private static readonly Duration _hour = Duration.FromHours(1), _minute = Duration.FromMinutes(1);
    private static readonly string[] _zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "UTC"];

    [Fact]
    public void Should_always_be_open_without_windows()
    {
        Instant now = At("2026-11-21T11:00Z");
        WindowSet.Always.IsOpenAt(now).ShouldBeTrue();
        WindowSet.Always.ClosesAt(now).ShouldBeNull();
        WindowSet.Always.NextOpening(now).ShouldBeNull();
        WindowSet.Always.Fits(now, _hour, _hour).ShouldBe(new WindowFit(true, now, null, ""));
        Violations(WindowSet.Always, now).ShouldBeEmpty();
    }

    [Fact]
    public void Should_join_windows_that_overlap_or_touch()
    {
        WindowSet set = Set("Monday 22:00 UTC for 3h", "Tuesday 01:00 UTC for 1h", "Tuesday 02:30 UTC for 1h", "Tuesday 01:30 Europe/Berlin for 15m");
        Instant now = At("2026-11-23T12:00Z");
        set.Openings(now, now + Duration.FromDays(2)).ShouldBe([
            new Interval(At("2026-11-23T22:00Z"), At("2026-11-24T02:00Z")),
            new Interval(At("2026-11-24T02:30Z"), At("2026-11-24T03:30Z")),
        ]);
    }

    [Fact]
    public void Should_have_no_end_when_windows_leave_no_gap()
    {
        WindowSet set = Set("daily 00:00 UTC for 1d");
        Instant now = At("2026-11-21T11:00Z");
        set.ClosesAt(now).ShouldBeNull();
        set.Fits(now, Duration.FromDays(30), _hour).Now.ShouldBeTrue();
    }

    [Fact]
    public void Should_admit_only_what_ends_with_its_roll_back_before_the_window_closes()
    {
        WindowSet set = Set("second Tuesday 02:00 Europe/Berlin for 3h");
        Instant opens = At("2026-12-08T01:00Z"), closes = At("2026-12-08T04:00Z"), next = At("2027-01-12T01:00Z");
        set.Fits(opens, 2 * _hour, _hour).ShouldBe(new WindowFit(true, opens, closes, ""));
        set.Fits(closes - 30 * _minute, 20 * _minute, 11 * _minute).ShouldBe(new WindowFit(
            false, next, next + 3 * _hour,
            "The window closes at 2026-12-08 05:00 Europe/Berlin, too early for 20m and 11m for a roll-back. It can start at 2027-01-12 02:00 Europe/Berlin."));
        set.Fits(closes, 20 * _minute, 11 * _minute).Why.ShouldBe(
            "No window is open. It can start at 2027-01-12 02:00 Europe/Berlin.");
        set.Fits(opens, 2 * _hour, 61 * _minute).ShouldBe(new WindowFit(
            false, null, null, "No opening within 732 days is long enough for 2h and 1h1m for a roll-back."));
    }

    [Fact]
    public void Should_be_closed_in_a_blackout()
    {
        BlackoutCalendar calendar = new CalendarForm
        {
            Name = "holidays",
            Zone = "Europe/Berlin",
            Blackouts = [
                new() { Name = "Christmas", From = "2026-12-24", To = "2026-12-26" },
                new() { Name = "sale", From = "2026-12-26T12:00", To = "2026-12-28T03:00" },
            ],
        }.Read("calendar", new List<Violation>()).ShouldNotBeNull();
        WindowSet set = new([Read("daily 02:00 Europe/Berlin for 2h")], [calendar]);
        Instant noon = At("2026-12-23T11:00Z");
        set.NextOpening(noon).ShouldBe(new Interval(At("2026-12-28T02:00Z"), At("2026-12-28T03:00Z")));
        set.IsOpenAt(At("2026-12-24T01:30Z")).ShouldBeFalse();
        set.IsOpenAt(At("2026-12-28T01:30Z")).ShouldBeFalse();
        set.Fits(At("2026-12-24T01:30Z"), _hour, 30 * _minute).Why.ShouldBe(
            "Blackout 'Christmas' holds until 2026-12-27 00:00 Europe/Berlin. It can start at 2026-12-29 02:00 Europe/Berlin.");
        new WindowSet([], [calendar]).ClosesAt(noon).ShouldBe(At("2026-12-23T23:00Z"));
        new WindowSet([], [calendar]).NextOpening(noon).ShouldBe(new Interval(At("2026-12-28T02:00Z"), null));
    }

    [Fact]
    public void Should_black_out_all_that_its_local_times_can_mean()
    {
        BlackoutCalendar calendar = Calendar("Europe/Berlin", ("2026-10-25T02:30", "2026-10-25T02:45"), ("2026-03-29T02:15", "2026-03-29T02:45"));
        WindowSet set = new([], [calendar]);
        set.Openings(At("2026-10-25T00:00Z"), At("2026-10-25T04:00Z")).ShouldBe([
            new Interval(At("2026-10-25T00:00Z"), At("2026-10-25T00:30Z")),
            new Interval(At("2026-10-25T01:45Z"), null),
        ]);
        /* All of it lies in the gap. */
        set.ClosesAt(At("2026-03-28T00:00Z")).ShouldBe(At("2026-10-25T00:30Z"));
        /* The day begins at 01:00 there. */
        new WindowSet([], [Calendar("America/Sao_Paulo", ("2018-11-04", null))])
            .ClosesAt(At("2018-11-01T00:00Z")).ShouldBe(At("2018-11-04T03:00Z"));
    }

    [Fact]
    public void Should_tell_all_errors_of_a_calendar()
    {
        List<Violation> violations = [];
        new CalendarForm
        {
            Name = "x y",
            Zone = "Mars/Olympus",
            Blackouts = [
                new() { Name = "a", From = "2026-12-24", To = "2026-12-24" },
                new() { From = "tomorrow", To = "2026-12-24T25:00" },
                new() { Name = "b", From = "2026-12-24T18:00" },
                new() { Name = "c", From = "2026-12-24T18:00", To = "2026-12-23" },
            ],
        }.Read("calendars[0]", violations).ShouldBeNull();
        violations.Select(one => one.Field).ShouldBe([
            "calendars[0].name", "calendars[0].zone", "calendars[0].blackouts[1].name", "calendars[0].blackouts[1].from",
            "calendars[0].blackouts[1].to", "calendars[0].blackouts[2].to", "calendars[0].blackouts[3].to",
        ]);
    }

    [Fact]
    public void Should_write_a_calendar_that_reads_the_same()
    {
        BlackoutCalendar calendar = Calendar("Asia/Kathmandu", ("2026-12-24", "2026-12-26"), ("2026-12-24T18:00", "2026-12-26"), ("2026-12-24", "2026-12-26T18:30"));
        BlackoutCalendar again = CalendarForm.Of(calendar).Read("", new List<Violation>()).ShouldNotBeNull();
        again.Blackouts.ShouldBe(calendar.Blackouts);
        again.Zone.ShouldBe(calendar.Zone);
        again.Name.ShouldBe(calendar.Name);
    }

    [Fact]
    public void Should_find_windows_that_never_open()
    {
        Instant now = At("2026-11-21T11:00Z");
        Violations(Set("2026-11-20 02:00 UTC for 1h", "daily 02:00 UTC for 1h", "daily 02:00 UTC for 1h to 2026-01-01", "2029-01-01 02:00 UTC for 1h"), now)
            .ShouldBe(["windows[0]", "windows[2]", "windows[3]"]);
        /* The one that began yesterday is still open. */
        Violations(Set("2026-11-20 02:00 UTC for 2d"), now).ShouldBeEmpty();
        Violations(Set("day 31 02:00 UTC for 1h from 2027-02-01 to 2027-02-28"), now).ShouldBe(["windows[0]"]);
        Violations(new WindowSet([Read("daily 02:00 UTC for 1h")], [Calendar("UTC", ("2026-01-01", "2036-01-01"))]), now).ShouldBe(["windows"]);
        Set("2026-11-20 02:00 UTC for 1h").Fits(now, _hour, _hour).Why.ShouldBe("No window opens within 732 days.");
    }

    [Fact]
    public void Should_be_open_exactly_in_a_window_and_in_no_blackout() =>
        Prop.ForAll(Sets().ToArbitrary(), Instants().ToArbitrary(), (set, now) =>
        {
            set.IsOpenAt(now).ShouldBe(IsOpen(set, now));
            set.ClosesAt(now).HasValue.ShouldBe(IsOpen(set, now) && IsOpenUntil(set, now) is not null);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Should_give_openings_that_are_open_inside_closed_around_and_complete() =>
        Prop.ForAll(Sets().ToArbitrary(), Instants().ToArbitrary(), (set, from) =>
        {
            Instant until = from + Duration.FromDays(40);
            Instant at = from;
            foreach (Interval opening in set.Openings(from, until).Take(30))
            {
                /* Between openings nothing is open. */
                foreach (Instant closed in Between(at, opening.Start).Where(instant => instant > at || at == from))
                {
                    IsOpen(set, closed).ShouldBeFalse($"{closed} before {opening}");
                }

                foreach (Instant open in Between(opening.Start, opening.HasEnd ? opening.End : until))
                {
                    IsOpen(set, open).ShouldBeTrue($"{open} in {opening}");
                }

                if (!opening.HasEnd)
                {
                    return;
                }

                IsOpen(set, opening.End).ShouldBeFalse();
                at = opening.End;
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));

    [Fact]
    public void Should_fit_at_the_first_instant_from_which_all_is_open() =>
        Prop.ForAll(Sets().ToArbitrary(), Instants().ToArbitrary(), Gen.Choose(1, 600).Two().ToArbitrary(), (set, now, minutes) =>
        {
            (Duration predicted, Duration rollback) = (minutes.Item1 * _minute, minutes.Item2 * _minute);
            WindowFit fit = set.Fits(now, predicted, rollback);
            fit.Now.ShouldBe(fit.StartAt == now);
            (fit.Why.Length == 0).ShouldBe(fit.Now);
            if (fit.StartAt is not { } start)
            {
                set.Openings(now, now + WindowSet.Horizon).ShouldAllBe(opening =>
                    (opening.HasEnd ? opening.End : now + WindowSet.Horizon) - opening.Start < predicted + rollback);
                return;
            }

            Between(start, start + predicted + rollback).ShouldAllBe(instant => IsOpen(set, instant));
            (fit.ClosesAt < start + predicted + rollback).ShouldBeFalse();
            set.Fits(start, predicted, rollback).Now.ShouldBeTrue();
            set.Openings(now, start).ShouldAllBe(opening => opening.Duration < predicted + rollback);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));

    [Fact]
    public void Should_read_every_window_that_it_writes() =>
        Prop.ForAll(Window().ToArbitrary(), window => Read(window.ToString()).ShouldBe(window)).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    /// <summary>By looking at every date that could matter, with the zone's own words for gaps and for what comes twice.</summary>
    private static bool IsOpen(WindowSet set, Instant now)
    {
        bool windows = set.Windows.Count == 0;
        foreach (MaintenanceWindow window in set.Windows)
        {
            LocalDate today = now.InZone(window.Zone).Date;
            for (LocalDate date = today.PlusDays(-9); date <= today.PlusDays(2); date = date.PlusDays(1))
            {
                bool once = window.Recurrence is Recurrence.Once;
                if (!window.Recurrence.StartsOn(date) || !once && (date < window.From || date > window.To))
                {
                    continue;
                }

                Instant start = Resolve(window.Zone, date + window.Start, earlier: true);
                windows |= start <= now && now < start + window.Length;
            }
        }

        return windows && !set.Blackouts.Any(calendar => calendar.Blackouts.Any(blackout =>
            Resolve(calendar.Zone, blackout.Start, earlier: true) <= now && now < Resolve(calendar.Zone, blackout.End, earlier: false)));
    }

    private static Instant? IsOpenUntil(WindowSet set, Instant now) =>
        set.Openings(now, now + Duration.Epsilon).Single() is { HasEnd: true } opening ? opening.End : null;

    private static Instant Resolve(DateTimeZone zone, LocalDateTime local, bool earlier)
    {
        var mapping = zone.MapLocal(local);
        return mapping.Count switch
        {
            0 => mapping.LateInterval.Start,
            1 => mapping.Single().ToInstant(),
            _ => earlier ? mapping.First().ToInstant() : mapping.Last().ToInstant(),
        };
    }

    /// <summary>The first instant, the last one, and some of those between.</summary>
    private static IEnumerable<Instant> Between(Instant start, Instant end)
    {
        Duration step = Duration.Max((end - start) / 7, Duration.Epsilon);
        for (Instant at = start; at < end; at += step)
        {
            yield return at;
        }

        if (end > start)
        {
            yield return end - Duration.Epsilon;
        }
    }

    private static WindowSet Set(params string[] windows) => new([.. windows.Select(Read)], []);

    private static BlackoutCalendar Calendar(string zone, params (string From, string? To)[] blackouts)
    {
        List<Violation> violations = [];
        BlackoutCalendar? calendar = new CalendarForm
        {
            Name = "calendar",
            Zone = zone,
            Blackouts = [.. blackouts.Select(one => new BlackoutForm { Name = "x", From = one.From, To = one.To })],
        }.Read("", violations);
        violations.ShouldBeEmpty();
        return calendar.ShouldNotBeNull();
    }

    private static List<string> Violations(WindowSet set, Instant now)
    {
        List<Violation> violations = [];
        set.Check(now, "windows", violations);
        return [.. violations.Select(one => one.Field)];
    }

    /// <summary>Many of them close to a change of the clocks of one of the zones.</summary>
    private static Gen<Instant> Instants()
    {
        Instant[] changes = [.. _zones.SelectMany(zone => DateTimeZoneProviders.Tzdb[zone]
            .GetZoneIntervals(At("2017-06-01T00:00Z"), At("2028-06-01T00:00Z")).Skip(1).Select(one => one.Start))];
        return from change in Gen.Elements(changes)
               from minutes in Gen.OneOf(Gen.Choose(-200, 200), Gen.Choose(-50_000, 50_000))
               select change + minutes * _minute;
    }

    private static Gen<MaintenanceWindow> Window()
    {
        Gen<Recurrence> recurrences = Gen.OneOf(
            Gen.Constant<Recurrence>(new Recurrence.Daily()),
            Gen.Choose(1, 127).Select(days => (Recurrence)new Recurrence.Weekly((Weekdays)days)),
            Gen.Choose(1, 31).Select(day => (Recurrence)new Recurrence.MonthlyDay(day)),
            Gen.Constant<Recurrence>(new Recurrence.MonthlyDay(Recurrence.MonthlyDay.LastDay)),
            from week in Gen.Choose(1, 5)
            from day in Gen.Choose(1, 7)
            select (Recurrence)new Recurrence.MonthlyWeekday((WeekOfMonth)week, (IsoDayOfWeek)day),
            Instants().Select(instant => (Recurrence)new Recurrence.Once(instant.InUtc().Date)));
        return from recurrence in recurrences
               from minute in Gen.OneOf(Gen.Choose(0, 240), Gen.Choose(0, 1439))
               from zone in Gen.Elements(_zones)
               from minutes in Gen.OneOf(Gen.Choose(1, 600), Gen.Choose(1, 10_080))
               from @from in Gen.OneOf(Gen.Constant<LocalDate?>(null), Instants().Select(instant => (LocalDate?)instant.InUtc().Date))
               from days in Gen.OneOf(Gen.Constant<int?>(null), Gen.Choose(0, 400).Select(days => (int?)days))
               let bounded = recurrence is not Recurrence.Once
               select new MaintenanceWindow
               {
                   Recurrence = recurrence,
                   Start = new LocalTime(minute / 60, minute % 60),
                   Zone = DateTimeZoneProviders.Tzdb[zone],
                   Length = minutes * _minute,
                   From = bounded ? @from : null,
                   To = bounded && days is { } until ? @from?.PlusDays(until) : null,
               };
    }

    private static Gen<WindowSet> Sets() =>
        from count in Gen.Choose(0, 3)
        from windows in Window().ListOf(count)
        from zone in Gen.Elements(_zones)
        from blackouts in (
            from start in Instants()
            from minutes in Gen.OneOf(Gen.Choose(1, 300), Gen.Choose(1, 20_000))
            let local = start.InUtc().LocalDateTime
            select new Blackout("x", local, local.PlusMinutes(minutes))).ListOf()
        select new WindowSet([.. windows], [new BlackoutCalendar { Name = "c", Zone = DateTimeZoneProviders.Tzdb[zone], Blackouts = [.. blackouts] }]);
}
