using NodaTime;
using NodaTime.Text;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Schedules;

namespace TwinKernel.Fleet.Coordinator.Tests.Schedules;

public sealed class ScheduleTimeTests
{
    [Theory]
    [InlineData("second Tuesday 02:00 Europe/Berlin")]
    [InlineData("Monday,Thursday 23:59 America/New_York")]
    [InlineData("last day 12:00 UTC")]
    [InlineData("MON  2:00 UTC", "Monday 02:00 UTC")]
    public void Is_read_from_the_text_it_writes(string text, string? canonical = null)
    {
        ScheduleTime time = Read(text);
        time.ToString().ShouldBe(canonical ?? text);
        Read(time.ToString()).ShouldBe(time);
    }

    [Theory]
    [InlineData("never 25:00 Europe/Bonn", "when.recurrence", "when.at", "when.zone")]
    [InlineData("fifth Monday 02:00 UTC", "when.recurrence")]
    [InlineData("daily 02:00", "when")]
    [InlineData("daily 02:00 UTC for 3h", "when")]
    [InlineData("02:00 UTC", "when")]
    [InlineData("", "when")]
    public void Tells_every_error_with_its_path(string text, params string[] fields)
    {
        List<Violation> violations = [];
        ScheduleTime.Parse(text, "when", violations).ShouldBeNull();
        violations.Select(violation => violation.Field).ShouldBe(fields);
    }

    [Theory]
    // The clocks go from 02:00 to 03:00: the end of the gap.
    [InlineData("daily 02:30 Europe/Berlin", "2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z")]
    // From 03:00 to 02:00: the earlier of two, and only that.
    [InlineData("daily 02:30 Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z")]
    [InlineData("daily 02:30 Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z")]
    // A day that the zone left out ends where the next one begins: one moment, not two.
    [InlineData("daily 00:00 Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z")]
    [InlineData("second Tuesday 02:00 Europe/Berlin", "2026-11-21T12:00:00Z", "2026-12-08T01:00:00Z", "2027-01-12T01:00:00Z")]
    [InlineData("day 31 12:00 UTC", "2027-01-31T12:00:00Z", "2027-03-31T12:00:00Z", "2027-05-31T12:00:00Z")]
    [InlineData("last day 12:00 UTC", "2028-02-01T00:00:00Z", "2028-02-29T12:00:00Z")]
    public void Comes_once_a_day_whatever_the_clocks_do(string text, string after, params string[] moments) =>
        Read(text).After(At(after)).Take(moments.Length).ShouldBe(moments.Select(At));

    [Fact]
    public void A_single_date_comes_once_and_never_again()
    {
        ScheduleTime time = Read("2026-12-24 18:00 UTC");
        time.Next(At("2026-12-24T17:59:59Z")).ShouldBe(At("2026-12-24T18:00:00Z"));
        time.Next(At("2026-12-24T18:00:00Z")).ShouldBeNull();
    }

    [Theory]
    [InlineData("run-once", "02:04", "2026-12-02")]             // on time
    [InlineData("skip", "02:04", "2026-12-02")]
    [InlineData("run-once", "02:59", "2026-12-02")]             // late, within the limit
    [InlineData("skip", "02:59", null)]
    [InlineData("run-once", "03:01", null)]                     // too late
    [InlineData("run-once", "01:59", null)]                     // yesterday's
    public void Of_all_that_have_passed_one_fires_at_most_and_every_other_is_told(string policy, string now, string? fires)
    {
        DueFirings due = DueFirings.Of(
            Read("daily 02:00 UTC"), policy == "skip" ? MissedFiringPolicy.Skip : MissedFiringPolicy.RunOnce, Duration.FromHours(1),
            At("2026-11-29T12:00:00Z"), At($"2026-12-02T{now}:00Z"));
        due.Fire.ShouldBe(fires is null ? null : At($"{fires}T02:00:00Z"));
        string[] passed = now == "01:59" ? ["30", "01"] : fires is null ? ["30", "01", "02"] : ["30", "01"];
        due.Missed.Select(one => one.Due.InUtc().Day.ToString("00", null)).ShouldBe(passed);
        due.Missed.ShouldAllBe(one => one.Reason.Length > 0);
    }

    [Fact]
    public void Nothing_is_due_before_its_time_and_a_long_absence_is_told_in_few_words()
    {
        ScheduleTime daily = Read("daily 02:00 UTC");
        DueFirings none = DueFirings.Of(daily, MissedFiringPolicy.RunOnce, Duration.FromHours(1), At("2026-12-01T02:00:00Z"), At("2026-12-02T01:59:59Z"));
        (none.Fire, none.Missed.Count).ShouldBe((null, 0));
        DueFirings longAgo = DueFirings.Of(daily, MissedFiringPolicy.RunOnce, Duration.FromHours(1), At("2026-01-01T00:00:00Z"), At("2026-12-02T02:30:00Z"));
        (longAgo.Fire, longAgo.Missed.Count).ShouldBe((At("2026-12-02T02:00:00Z"), DueFirings.MostMissed));
    }

    private static Instant At(string text) => InstantPattern.ExtendedIso.Parse(text).Value;

    private static ScheduleTime Read(string text)
    {
        List<Violation> violations = [];
        ScheduleTime? time = ScheduleTime.Parse(text, "when", violations);
        violations.ShouldBeEmpty();
        return time!;
    }
}
