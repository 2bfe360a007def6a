using System.Globalization;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Tests;

/// <summary>Against a real Redis.</summary>
public sealed class RedisTests : IDisposable
{
    private readonly RedisServer redis = RedisServer.Start();

    public void Dispose() => redis.Dispose();

    private ProbeSettings Writes => Runs.Settings($"redis://127.0.0.1:{redis.Port}") with { Writes = true, VerifyWrites = true };

    [Fact]
    public async Task Writes_that_are_there_are_not_lost_and_their_keys_go()
    {
        Seen seen = await Runs.RunAsync(Writes);
        WritesReport writes = seen.Report.Writes.ShouldNotBeNull();
        (writes.Acknowledged, writes.Verified, writes.Lost, writes.Problem).ShouldBe((1000, true, 0, null));
        redis.Ask("DBSIZE").ShouldBe(["0"]);
        redis.Ask("INFO", "commandstats").Single()!.ShouldContain("cmdstat_set:calls=1000,");
    }

    [Fact]
    public async Task Writes_that_are_gone_are_lost_and_the_others_stay_as_evidence()
    {
        Seen seen = await Runs.RunAsync(Writes, _ => redis.Ask("FLUSHALL"));
        WritesReport writes = seen.Report.Writes.ShouldNotBeNull();
        writes.Verified.ShouldBeTrue();
        writes.Lost.ShouldBeInRange(300, 950);
        writes.FirstLost.Select(lost => lost.Number).ShouldBe(Enumerable.Range(0, 10).Select(number => (long)number));
        writes.FirstLost.ShouldAllBe(lost => lost.Found == null && lost.Key == $"{writes.KeyPrefix}{lost.Number}");
        redis.Ask("DBSIZE").ShouldBe([(1000 - writes.Lost).ToString(CultureInfo.InvariantCulture)]);
    }

    [Fact]
    public async Task A_write_that_somebody_changed_is_lost()
    {
        Seen seen = await Runs.RunAsync(Writes, _ => redis.Ask("SET", redis.Ask("RANDOMKEY").Single()!, "other"));
        LostWrite lost = seen.Report.Writes.ShouldNotBeNull().FirstLost.ShouldHaveSingleItem();
        lost.Found.ShouldBe("other");
        lost.Due.ShouldBe(seen.Report.Interval * lost.Number);
    }

    [Fact]
    public async Task A_server_that_dies_and_comes_back_empty_has_lost_what_it_acknowledged()
    {
        Seen seen = await Runs.RunAsync(Writes, _ =>
        {
            redis.Kill();
            Thread.Sleep(200);
            redis.StartAgain();
        });
        seen.Report.Total.Errors.Keys.ShouldContain(Outcome.Refused);
        seen.Report.Total.LongestGap.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(200));
        seen.Report.Writes.ShouldNotBeNull().Lost.ShouldBeGreaterThan(300);
        seen.Report.Reconnects.ShouldBeGreaterThanOrEqualTo(4);
        seen.Rows.MaxBy(row => row.Number)!.Outcome.ShouldBe(Outcome.Answered);
    }

    [Fact]
    public async Task A_pause_of_the_server_is_a_gap()
    {
        Seen seen = await Runs.RunAsync(Writes, _ => redis.Ask("CLIENT", "PAUSE", "300", "WRITE"));
        seen.Report.Total.Answered.ShouldBe(1000);
        seen.Report.Total.LongestGap.ShouldBe(seen.LongestBetweenAnswers, TimeSpan.FromMicroseconds(1));
        seen.Report.Total.LongestGap.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(290));
        seen.Report.Total.Latency.Max.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(280));
        seen.Report.Writes.ShouldNotBeNull().Lost.ShouldBe(0);
    }

    [Fact]
    public async Task A_refusal_of_the_server_is_an_error_by_its_name()
    {
        redis.Ask("REPLICAOF", "127.0.0.1", "1");
        Seen seen = await Runs.RunAsync(Writes);
        seen.Report.Total.Errors.ShouldBe(new Dictionary<string, long> { ["READONLY"] = 1000 });
        seen.Report.Writes.ShouldNotBeNull().Acknowledged.ShouldBe(0);
    }

    [Fact]
    public async Task Ten_thousand_a_second_are_asked_and_answered()
    {
        ProbeSettings settings = Writes with { Writes = false, VerifyWrites = false, Interval = TimeSpan.FromMicroseconds(100) };
        Seen seen = await Runs.RunAsync(settings);
        (seen.Report.Total.Sent, seen.Report.Total.Answered).ShouldBe((20_000, 20_000));
        redis.Ask("INFO", "commandstats").Single()!.ShouldContain("cmdstat_ping");
    }
}
