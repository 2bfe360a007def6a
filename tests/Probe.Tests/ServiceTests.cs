using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Tests;

/// <summary>Against real servers on loopback. What a busy machine adds to a time is bounded by what the run says of itself.</summary>
public sealed class ServiceTests : IDisposable
{
    private static readonly TimeSpan Stall = TimeSpan.FromMilliseconds(300);

    /// <summary>How late the last answer before a stall may be taken: in a test, server and probe share one process.</summary>
    private static readonly TimeSpan LastAnswer = TimeSpan.FromMilliseconds(50);
    /// <summary>What happens after the first second may, on a busy machine, begin almost a second late, and is to be over before the run is.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Rounding = TimeSpan.FromMicroseconds(1);
    private readonly StallingServer server = new();

    public void Dispose() => server.Dispose();

    [Theory]
    [InlineData("tcp-echo")]
    [InlineData("udp-echo")]
    public async Task A_stall_is_a_gap_of_its_length_and_whatever_was_due_in_it_waited(string protocol)
    {
        TimeSpan stalled = default;
        Seen seen = await Runs.RunAsync(Runs.Settings($"{protocol}://127.0.0.1:{server.Port}") with { Duration = Late }, _ => stalled = server.Stall(Stall));
        seen.Report.Total.Answered.ShouldBe(2000);
        GapReport gap = seen.Report.Gaps.MaxBy(found => found.Length)!;
        gap.Length.ShouldBe(seen.Report.Total.LongestGap);
        gap.Length.ShouldBe(seen.LongestBetweenAnswers, Rounding);
        gap.Length.ShouldBeGreaterThanOrEqualTo(stalled - LastAnswer);
        List<Row> waited = [.. seen.Rows.Where(row => row.Due > gap.At && row.Due < gap.At + gap.Length)];
        waited.Count.ShouldBeGreaterThan(120);
        waited.ShouldAllBe(row => row.Latency >= gap.At + gap.Length - row.Due - Rounding);
        seen.Report.Total.Latency.Max.ShouldBe(seen.Rows.Max(row => row.Latency!.Value), Rounding);
        seen.Report.Total.LongestLoss.ShouldBe(seen.Report.Interval);
    }

    [Fact]
    public async Task Datagrams_that_are_dropped_are_unanswered_and_a_loss()
    {
        ProbeSettings settings = Runs.Settings($"udp-echo://127.0.0.1:{server.Port}") with { Timeout = TimeSpan.FromMilliseconds(500), Duration = Late };
        Seen seen = await Runs.RunAsync(settings, _ =>
        {
            server.Drop(true);
            Thread.Sleep(Stall);
            server.Drop(false);
        });
        seen.Report.Total.Unanswered.ShouldBeGreaterThan(100);
        seen.Report.Total.Errors.ShouldBeEmpty();
        long[] lost = [.. seen.Rows.Where(row => row.Outcome == Outcome.Unanswered).Select(row => row.Number).Order()];
        seen.Report.Total.LongestLoss.ShouldBeGreaterThan(Stall / 2);
        seen.Report.Total.LongestLoss.ShouldBeLessThanOrEqualTo(seen.Report.Interval * (lost[^1] - lost[0] + 2));
    }

    [Fact]
    public async Task Connecting_needs_only_somebody_who_listens()
    {
        Seen seen = await Runs.RunAsync(Runs.Settings($"tcp://127.0.0.1:{server.Port}"), _ => server.Stall(Stall));
        seen.Report.Total.Answered.ShouldBe(1000, seen.Report.ToJson());
    }

    [Fact]
    public async Task Connections_that_the_service_closes_are_made_again()
    {
        Seen seen = await Runs.RunAsync(Runs.Settings($"tcp-echo://127.0.0.1:{server.Port}"), _ => server.CloseConnections());
        seen.Report.Reconnects.ShouldBeGreaterThanOrEqualTo(4);
        seen.Report.Total.Answered.ShouldBeGreaterThan(900);
        seen.Rows.MaxBy(row => row.Number)!.Outcome.ShouldBe(Outcome.Answered);
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("tcp-echo")]
    [InlineData("http")]
    [InlineData("redis")]
    public async Task Where_nobody_listens_every_request_is_refused(string protocol)
    {
        server.Dispose();
        Seen seen = await Runs.RunAsync(Runs.Settings($"{protocol}://127.0.0.1:{server.Port}"));
        seen.Report.Total.Errors.ShouldBe(new Dictionary<string, long> { [Outcome.Refused] = 1000 });
        GapReport gap = seen.Report.Gaps.ShouldHaveSingleItem();
        (gap.At, gap.Length, gap.Open).ShouldBe((TimeSpan.Zero, TimeSpan.FromMilliseconds(1998), true));
    }

    [Fact]
    public async Task A_service_that_takes_requests_and_never_answers_does_not_hold_the_probe()
    {
        server.Drop(true);
        ProbeSettings settings = Runs.Settings($"tcp-echo://127.0.0.1:{server.Port}") with { Timeout = TimeSpan.FromMilliseconds(200), Duration = TimeSpan.FromSeconds(1) };
        Seen seen = await Runs.RunAsync(settings);
        seen.Report.Total.Answered.ShouldBe(0);
        seen.Report.Total.Unanswered.ShouldBeGreaterThan(0);
        seen.Report.Total.Errors.Keys.ShouldBeSubsetOf([Outcome.Abandoned]);
        seen.Report.Reconnects.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_wrong_answer_is_none()
    {
        // An echo is not what a Redis says.
        Seen seen = await Runs.RunAsync(Runs.Settings($"redis://127.0.0.1:{server.Port}"));
        seen.Report.Total.Answered.ShouldBe(0);
        seen.Report.Total.Errors.Keys.ShouldContain(Outcome.WrongAnswer);
    }

    [Fact]
    public async Task Phases_are_what_was_due_between_the_marks()
    {
        Seen seen = await Runs.RunAsync(Runs.Settings($"udp-echo://127.0.0.1:{server.Port}"), run =>
        {
            run.Mark();
            server.Stall(Stall);
            run.Mark();
            Thread.Sleep(100);
            run.Mark("later");
        });
        seen.Report.Phases.Select(phase => phase.Name).ShouldBe(["before", "during", "after", "later"]);
        seen.Report.Marks.Select(mark => mark.Phase).ShouldBe(["during", "after", "later"]);
        PhaseReport during = seen.Report.Phases[1];
        during.LongestGap.ShouldBe(seen.Report.Total.LongestGap);
        during.LongestGap.ShouldBeGreaterThanOrEqualTo(Stall - LastAnswer);
        during.Sent.ShouldBe(seen.Rows.Count(row => row.Due >= seen.Report.Marks[0].At && row.Due < seen.Report.Marks[1].At));
        during.Lasted.ShouldBe(seen.Report.Marks[1].At - seen.Report.Marks[0].At, Rounding);
    }

    [Fact]
    public async Task Without_a_duration_it_runs_until_it_is_stopped()
    {
        Seen seen = await Runs.RunAsync(Runs.Settings($"udp-echo://127.0.0.1:{server.Port}") with { Duration = null }, run => run.Stop());
        seen.Report.Total.Sent.ShouldBeGreaterThanOrEqualTo(500);
        seen.Report.Total.Sent.ShouldBe(seen.Report.Total.Answered);
    }

    [Fact]
    public async Task Http_is_right_with_status_200_only()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using WebApplication application = builder.Build();
        long asked = 0;
        application.MapGet("/page", () => Interlocked.Increment(ref asked) % 10 == 0 ? Results.StatusCode(503) : Results.Text("here"));
        await application.StartAsync();
        Seen seen = await Runs.RunAsync(Runs.Settings($"{application.Urls.Single()}/page"));
        seen.Report.Total.Errors.Keys.ShouldBe(["status-503"]);
        seen.Report.Total.Errors["status-503"].ShouldBeInRange(98, 102);
        Seen elsewhere = await Runs.RunAsync(Runs.Settings($"{application.Urls.Single()}/other"));
        elsewhere.Report.Total.Errors.ShouldBe(new Dictionary<string, long> { ["status-404"] = 1000 });
    }

    [Fact]
    public async Task A_host_without_an_address_is_told() =>
        await Should.ThrowAsync<ProbeException>(() => new ProbeRun(Runs.Settings("tcp://host.invalid:1")).RunAsync());

    [Fact]
    public async Task Wrong_settings_are_refused()
    {
        var exception = await Should.ThrowAsync<ArgumentException>(() => new ProbeRun(Runs.Settings("tcp://h:1") with { Writes = true, Connections = 0 }).RunAsync());
        exception.Message.ShouldContain("Writes go to redis");
        exception.Message.ShouldContain("connections (0)");
    }
}
