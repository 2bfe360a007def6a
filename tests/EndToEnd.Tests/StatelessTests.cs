using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Probe;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A web server that keeps nothing: its copy is warm in kernel B when the card comes. A tool that is not ours looks on.</summary>
public sealed partial class StatelessTests(FleetFixture fleet)
{
    private const int Interrupt = 2;

    /// <summary>Of wrk; the script paces them.</summary>
    private const int Connections = 2;

    [Fact]
    public async Task A_web_server_goes_over_and_another_tool_sees_the_same_gap()
    {
        int port = FreePort.Tcp();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "http", firstImage: HostUnderTest.ImageA + "-http", forward: $"{port}:80");
        string page = $"http://127.0.0.1:{port}/hello";
        using HttpClient browser = new();
        await Eventually.TrueAsync(TimeSpan.FromSeconds(30), "the web server answers", async () => (await browser.GetStringAsync(page)).Trim() == "hello from the guest");
        ProbeRun probe = new(new ProbeSettings { Service = ServiceAddress.Parse(page, out _)!, Interval = TimeSpan.FromMilliseconds(100), Timeout = TimeSpan.FromSeconds(10) });
        DateTimeOffset begun = TimeProvider.System.GetUtcNow();
        TaskCompletionSource warm = new();
        Task<ProbeReport> probing = probe.RunAsync(second =>
        {
            if (second.Answered >= 5)
            {
                warm.TrySetResult();
            }
        });
        await warm.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken); // its connections come all at once
        using Process wrk = Process.Start(new ProcessStartInfo("wrk", ["-t", "1", "-c", $"{Connections}", "-d", "600", "--timeout", "10", "-s", Repository.Find("tests", "EndToEnd.Tests", "paced.lua"), page]) { RedirectStandardOutput = true })!;
        try
        {
            Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB + "-http");

            upgrade.State.ShouldBe("Completed", upgrade.Reason);
            await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken); // both see kernel B for a while, which is what they shall report of
            probe.Stop();
            ProbeReport report = await probing;
            Process.Start("kill", [$"-{Interrupt}", $"{wrk.Id}"]).WaitForExit();
            string seen = await wrk.StandardOutput.ReadToEndAsync();
            GapReport[] gaps = [.. report.Gaps.Where(gap => begun + gap.At > upgrade.Steps[0].Started.ToDateTimeOffset())];
            TimeSpan longest = gaps.Max(gap => gap.Length);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{string.Join(", ", upgrade.Steps.Select(step => $"{step.Step} +{(step.Started.ToDateTimeOffset() - begun).TotalSeconds:0.0} s"))}; probe: {report.Total.Answered} of {report.Total.Sent} answered, "
                + $"gaps {string.Join(", ", gaps.Where(gap => gap.Length > TimeSpan.FromMilliseconds(200)).Select(gap => $"+{gap.At.TotalSeconds:0.0} s {gap.Length.TotalMilliseconds:0} ms"))}, longest {longest.TotalMilliseconds:0} ms, outage of the host {upgrade.Outage.LongestGap}\n{seen}");

            // A request ends with kernel A when its connection does: those that were under way in the gap, and no other.
            (report.Total.Unanswered, report.Total.NotSent).ShouldBe((0L, 0L));
            (report.Total.Sent - report.Total.Answered).ShouldBeLessThanOrEqualTo((long)(longest / report.Interval) + report.Connections);
            seen.ShouldNotContain("Non-2xx");
            long answered = Number(Answered().Match(seen), 1);
            answered.ShouldBeGreaterThan(report.Total.Answered / 10, seen);
            Match errors = Errors().Match(seen);
            (Number(errors, 1), Number(errors, 3), Number(errors, 4)).ShouldBe((0L, 0L, 0L), $"connections that are refused, or never answered: {seen}");
            Number(errors, 2).ShouldBeLessThanOrEqualTo(2 * Connections, $"one request under way on each connection, and the next when it was made in the gap: {seen}");
        }
        finally
        {
            wrk.Kill();
        }
    }

    private static long Number(Match match, int group) => match.Success ? long.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex Answered();

    /// <summary>Not there when there were none.</summary>
    [GeneratedRegex(@"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")]
    private static partial Regex Errors();
}
