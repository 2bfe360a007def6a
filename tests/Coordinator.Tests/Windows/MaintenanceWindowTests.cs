using NodaTime;
using NodaTime.Text;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Tests.Windows;

public sealed class MaintenanceWindowTests
{
    [Theory]
    [InlineData("second Tuesday 02:00 Europe/Berlin for 3h")]
    [InlineData("last Friday 23:30 America/New_York for 1h30m from 2026-01-01 to 2026-12-31")]
    [InlineData("daily 00:00 UTC for 1d to 2027-01-01")]
    [InlineData("Monday,Thursday 04:15 Australia/Lord_Howe for 45m from 2026-02-28")]
    [InlineData("day 31 12:00 Asia/Kathmandu for 7d")]
    [InlineData("last day 12:00 Asia/Kathmandu for 1m")]
    [InlineData("2028-02-29 01:00 America/Sao_Paulo for 90s", "2028-02-29 01:00 America/Sao_Paulo for 1m30s")]
    [InlineData("MON, tue ,Sunday  2:00  UTC for 60m", "Monday,Tuesday,Sunday 02:00 UTC for 1h")]
    [InlineData("Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday 02:00 UTC for 1h")]
    public void Should_be_read_from_the_text_it_writes(string text, string? canonical = null)
    {
        MaintenanceWindow window = Read(text);
        window.ToString().ShouldBe(canonical ?? text);
        Read(window.ToString()).ShouldBe(window);
        WindowForm.Of(window).Read("w", new List<Violation>()).ShouldBe(window);
    }

    [Theory]
    [InlineData("never 25:00 Europe/Bonn for 8d from soon to 2026-02-30", "w.recurrence", "w.start", "w.zone", "w.length", "w.from", "w.to")]
    [InlineData("fifth Monday 02:00 UTC for 1h", "w.recurrence")]
    [InlineData("day 32 02:00 UTC for 1h", "w.recurrence")]
    [InlineData("day 0 02:00 UTC for 1h", "w.recurrence")]
    [InlineData("2026-02-29 02:00 UTC for 1h", "w.recurrence")]
    [InlineData("Mon,Mob 02:00 UTC for 1h", "w.recurrence")]
    [InlineData("daily 02:00 UTC for 30s", "w.length")]
    [InlineData("daily 02:00 UTC for 1h1h", "w.length")]
    [InlineData("daily 02:00 europe/berlin for 1h", "w.zone")]
    [InlineData("daily 02:00 UTC for 1h from 2026-12-31 to 2026-01-01", "w.to")]
    [InlineData("2026-12-24 02:00 UTC for 1h from 2026-01-01", "w.from")]
    [InlineData("daily 02:00 for 1h", "w")]
    [InlineData("daily 02:00 UTC", "w")]
    [InlineData("daily", "w")]
    [InlineData("02:00 UTC for 1h", "w")]
    [InlineData("daily 02:00 UTC for 1h until 2026-01-01", "w")]
    [InlineData("", "w")]
    public void Should_tell_all_errors_with_their_paths(string text, params string[] fields)
    {
        List<Violation> violations = [];
        MaintenanceWindow.Parse(text, "w", violations).ShouldBeNull();
        violations.Select(one => one.Field).ShouldBe(fields);
    }

    [Fact]
    public void Should_name_what_an_empty_form_lacks()
    {
        List<Violation> violations = [];
        new WindowForm().Read("windows[3]", violations).ShouldBeNull();
        violations.Select(one => one.Field).ShouldBe(["windows[3].recurrence", "windows[3].start", "windows[3].zone", "windows[3].length"]);
    }

    /* Where the clocks of the zone change, what the window's openings are, in UTC. */
    [Theory]
    // A start in the gap is the gap's end; the length is elapsed time.
    [InlineData("daily 02:30 Europe/Berlin for 1h", "2026-03-28T12:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z", "2026-03-30T00:30Z")]
    [InlineData("daily 01:30 Europe/Berlin for 3h", "2026-03-28T12:00Z", "2026-03-29T00:30Z", "2026-03-29T03:30Z", "2026-03-29T23:30Z")]
    // 02:30 comes twice: the earlier.
    [InlineData("daily 02:30 Europe/Berlin for 3h", "2026-10-24T12:00Z", "2026-10-25T00:30Z", "2026-10-25T03:30Z", "2026-10-26T01:30Z")]
    [InlineData("second Sunday 02:15 America/New_York for 2h", "2026-03-01T00:00Z", "2026-03-08T07:00Z", "2026-03-08T09:00Z", "2026-04-12T06:15Z")]
    [InlineData("first Sunday 01:30 America/New_York for 2h", "2026-10-31T12:00Z", "2026-11-01T05:30Z", "2026-11-01T07:30Z", "2026-12-06T06:30Z")]
    // Half an hour: 02:00 to 02:30 is left out; 01:30 to 02:00 comes twice.
    [InlineData("daily 02:10 Australia/Lord_Howe for 1h", "2026-10-03T12:00Z", "2026-10-03T15:30Z", "2026-10-03T16:30Z", "2026-10-04T15:10Z")]
    [InlineData("daily 01:45 Australia/Lord_Howe for 1h", "2026-04-04T00:00Z", "2026-04-04T14:45Z", "2026-04-04T15:45Z", "2026-04-05T15:15Z")]
    // The day begins at 01:00.
    [InlineData("daily 00:00 America/Sao_Paulo for 1h", "2018-11-03T12:00Z", "2018-11-04T03:00Z", "2018-11-04T04:00Z", "2018-11-05T02:00Z")]
    [InlineData("Sunday 00:30 America/Sao_Paulo for 1h", "2018-11-01T00:00Z", "2018-11-04T03:00Z", "2018-11-04T04:00Z", "2018-11-11T02:30Z")]
    // A whole day is left out: what would start on it starts when it is over.
    [InlineData("Friday 10:00 Pacific/Apia for 1h", "2011-12-28T00:00Z", "2011-12-30T10:00Z", "2011-12-30T11:00Z", "2012-01-05T20:00Z")]
    // Leap days, and months without the day.
    [InlineData("day 29 00:00 UTC for 1h", "2027-01-30T00:00Z", "2027-03-29T00:00Z", "2027-03-29T01:00Z", "2027-04-29T00:00Z")]
    [InlineData("day 29 00:00 UTC for 1h", "2028-01-30T00:00Z", "2028-02-29T00:00Z", "2028-02-29T01:00Z", "2028-03-29T00:00Z")]
    [InlineData("last day 00:00 UTC for 1h", "2028-02-01T00:00Z", "2028-02-29T00:00Z", "2028-02-29T01:00Z", "2028-03-31T00:00Z")]
    [InlineData("last day 00:00 UTC for 1h", "2027-02-01T00:00Z", "2027-02-28T00:00Z", "2027-02-28T01:00Z", "2027-03-31T00:00Z")]
    [InlineData("day 31 00:00 UTC for 1h", "2026-04-01T00:00Z", "2026-05-31T00:00Z", "2026-05-31T01:00Z", "2026-07-31T00:00Z")]
    [InlineData("last Tuesday 00:00 UTC for 1h", "2028-02-01T00:00Z", "2028-02-29T00:00Z", "2028-02-29T01:00Z", "2028-03-28T00:00Z")]
    [InlineData("last Friday 02:00 UTC for 1h", "2026-02-01T00:00Z", "2026-02-27T02:00Z", "2026-02-27T03:00Z", "2026-03-27T02:00Z")]
    [InlineData("second Tuesday 02:00 UTC for 3h", "2026-12-01T00:00Z", "2026-12-08T02:00Z", "2026-12-08T05:00Z", "2027-01-12T02:00Z")]
    [InlineData("first Sunday 02:00 UTC for 3h", "2026-10-31T00:00Z", "2026-11-01T02:00Z", "2026-11-01T05:00Z", "2026-12-06T02:00Z")]
    public void Should_open_when_a_person_would_say(string text, string after, string opens, string closes, string opensAgain)
    {
        WindowSet set = new([Read(text)], []);
        Interval first = set.NextOpening(At(after)).ShouldNotBeNull();
        first.ShouldBe(new Interval(At(opens), At(closes)));
        set.NextOpening(first.Start).ShouldNotBeNull().Start.ShouldBe(At(opensAgain));
        set.IsOpenAt(first.Start - Duration.Epsilon).ShouldBeFalse();
        set.IsOpenAt(first.Start).ShouldBeTrue();
        set.ClosesAt(first.Start).ShouldBe(first.End);
        set.IsOpenAt(first.End - Duration.Epsilon).ShouldBeTrue();
        set.IsOpenAt(first.End).ShouldBeFalse();
        set.ClosesAt(first.End).ShouldBeNull();
    }

    internal static MaintenanceWindow Read(string text)
    {
        List<Violation> violations = [];
        MaintenanceWindow? window = MaintenanceWindow.Parse(text, "window", violations);
        violations.ShouldBeEmpty();
        return window.ShouldNotBeNull();
    }

    internal static Instant At(string text) => InstantPattern.CreateWithInvariantCulture("uuuu-MM-dd'T'HH:mm'Z'").Parse(text).GetValueOrThrow();
}
