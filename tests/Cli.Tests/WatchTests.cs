using System.Text.RegularExpressions;
using TwinKernel.Fleet.Contracts.Fleet;
using static TwinKernel.Fleet.Cli.Tests.FakeFleet;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class WatchTests : IAsyncLifetime
{
    private const string Other = "22222222-2222-3333-4444-555555555555";

    private FakeFleet fleet = null!;

    public async ValueTask InitializeAsync()
    {
        fleet = await FakeFleet.StartAsync();
        fleet.Answers.Current = Some.Running("Preflight");
    }

    public ValueTask DisposeAsync() => fleet.DisposeAsync();

    [Fact]
    public async Task A_pipe_gets_a_line_for_every_change_then_the_report()
    {
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Complete, Some.Running("Reserve"), Some.Running("Reserve"), Some.Running("Reserve", "2 of 3 blocks"), Some.Completed()));
        var outcome = await WatchAsync();
        outcome.Code.ShouldBe(0);
        outcome.Error.ShouldBe("");
        outcome.Out.ShouldNotContain('\u001b');
        var texts = outcome.Lines.TakeWhile(line => !line.StartsWith("Upgrade", StringComparison.Ordinal)).Select(line => line[10..]).ToList();
        texts.ShouldBe(
        [
            $"vm-1: upgrade {Some.Id} to debian-6.12",
            "vm-1: Reserve begins",
            "vm-1: Reserve: 2 of 3 blocks",
            "vm-1: Reserve succeeded after 1.24 s",
            "vm-1: Commit begins",
            "vm-1: Commit succeeded after 312.5 us",
            "vm-1: Completed",
        ]);
        outcome.Out.ShouldContain("observed from outside: 87.0 ms longest gap");
    }

    [Fact]
    public async Task A_terminal_gets_a_table_that_goes_on_then_the_report()
    {
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.CompleteOnRelease, Some.Running("Load", "12 MiB of 31 MiB")), new Watch(Ending.Complete, Some.Completed()));
        var output = new RecordedOutput();
        var watching = Cli.RunAsync(fleet.Address.ToString(), true, output, CancellationToken.None, "upgrade", "watch", Some.Id);
        await Until(() => output.ToString() is var drawn && drawn.Contains("12 MiB of 31 MiB", StringComparison.Ordinal) && drawn.Contains("Running", StringComparison.Ordinal));
        // The time of the running step goes on by itself: three different ones are drawn without any news.
        await Until(() => Regex.Matches(output.ToString(), @"\d\.\d s").Select(match => match.Value).Distinct().Count() >= 3);
        fleet.Answers.Release.SetResult();
        var outcome = await watching;
        outcome.Code.ShouldBe(0);
        outcome.Out.ShouldContain("\u001b[");
        outcome.Out.ShouldContain("observed from outside");
    }

    [Fact]
    public async Task Json_is_an_object_per_line_even_while_the_coordinator_is_away()
    {
        Upgrade[] states = [Some.Running("Load"), Some.Running("Boot"), Some.Completed()];
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.BreakConnection, states[0], states[1]), new Watch(Ending.Complete, states[1], states[2]));
        var outcome = await WatchAsync("--json");
        outcome.Code.ShouldBe(0);
        var seen = outcome.Lines.Select(Upgrade.Parser.ParseJson).ToList();
        seen[^1].ShouldBe(states[2]);
        seen.ShouldAllBe(state => states.Contains(state));
        outcome.Error.ShouldContain("out of reach");
    }

    [Theory]
    [InlineData(nameof(Ending.BreakConnection))]
    [InlineData(nameof(Ending.Complete))]
    [InlineData(nameof(Ending.Fail))]
    public async Task A_stream_that_breaks_is_opened_again(string ending)
    {
        fleet.Answers.OnWatch(
            Some.Id,
            new Watch(Enum.Parse<Ending>(ending), Some.Running("Load")),
            new Watch(Enum.Parse<Ending>(ending)),
            new Watch(Ending.Complete, Some.Completed()));
        var outcome = await WatchAsync();
        outcome.Code.ShouldBe(0);
        outcome.Lines.Count(line => line.Contains("out of reach", StringComparison.Ordinal)).ShouldBe(2);
        outcome.Lines.Count(line => line.EndsWith("vm-1: Completed", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_coordinator_that_comes_back_is_found()
    {
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Hang, Some.Running("Load")), new Watch(Ending.Complete, Some.Completed()));
        var output = new RecordedOutput();
        var watching = Cli.RunAsync(fleet.Address.ToString(), false, output, CancellationToken.None, "upgrade", "watch", Some.Id);
        await Until(() => output.ToString().Contains("Load begins", StringComparison.Ordinal));
        await fleet.StopAsync();
        await Until(() => output.ToString().Contains("out of reach", StringComparison.Ordinal));
        await fleet.RestartAsync();
        (await watching).Code.ShouldBe(0);
    }

    [Fact]
    public async Task A_coordinator_that_stays_away_is_unreachable_when_the_time_is_over()
    {
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Hang, Some.Running("Load")));
        var output = new RecordedOutput();
        var watching = Cli.RunAsync(fleet.Address.ToString(), false, output, CancellationToken.None, "upgrade", "watch", Some.Id, "--timeout", "4s");
        await Until(() => output.ToString().Contains("Load begins", StringComparison.Ordinal));
        await fleet.StopAsync();
        var outcome = await watching;
        await fleet.RestartAsync();
        outcome.Code.ShouldBe(ExitCode.Unreachable);
        outcome.Error.ShouldContain("goes on");
    }

    [Fact]
    public async Task The_timeout_ends_the_watch_not_the_upgrade()
    {
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Hang, Some.Running("Load")));
        var outcome = await WatchAsync("--timeout", "2");
        outcome.Code.ShouldBe(ExitCode.TimedOut);
        outcome.Error.ShouldContain($"Gave up watching: upgrade {Some.Id} of guest vm-1 goes on (last seen in Load).");
        outcome.Error.ShouldContain($"Next: twinfleet upgrade watch {Some.Id}");
    }

    [Fact]
    public async Task An_interruption_ends_the_watch_not_the_upgrade()
    {
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Hang, Some.Running("Load")));
        using var interruption = new CancellationTokenSource();
        var output = new RecordedOutput();
        var watching = Cli.RunAsync(fleet.Address.ToString(), false, output, interruption.Token, "upgrade", "watch", Some.Id);
        await Until(() => output.ToString().Contains("Load begins", StringComparison.Ordinal));
        await interruption.CancelAsync();
        var outcome = await watching;
        outcome.Code.ShouldBe(ExitCode.Interrupted);
        outcome.Error.ShouldContain($"No longer watching: upgrade {Some.Id} of guest vm-1 goes on");
        outcome.Error.ShouldContain($"twinfleet upgrade watch {Some.Id}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_rolled_back_upgrade_is_a_failure(bool json)
    {
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Complete, Some.RolledBack()));
        (await WatchAsync(json ? ["--json"] : [])).Code.ShouldBe(ExitCode.UpgradeFailed);
    }

    [Fact]
    public async Task An_upgrade_that_is_gone_is_not_waited_for()
    {
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.NotFound, Some.Running("Load")));
        var outcome = await WatchAsync();
        outcome.Code.ShouldBe(ExitCode.NotFound);
        outcome.Error.ShouldContain("error: There is no such upgrade.");
    }

    [Fact]
    public async Task Start_watches_all_that_it_started()
    {
        fleet.Answers.Started = new StartUpgradeResponse { RolloutId = "r", Upgrades = { Some.Upgrade("Admitted"), Some.Upgrade("Admitted", Other, "vm-2") } };
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Complete, Some.Running("Load"), Some.Completed()));
        fleet.Answers.OnWatch(Other, new Watch(Ending.Complete, Some.Running("Load", "", Other, "vm-2"), Some.Completed(Other, "vm-2")));
        var outcome = await Cli.RunAsync(fleet, "upgrade", "start", "--host", "host-1", "--image", "debian-6.12", "--watch");
        outcome.Code.ShouldBe(0);
        outcome.Out.ShouldContain("vm-1: Completed");
        outcome.Out.ShouldContain("vm-2: Completed");
        outcome.Lines.Count(line => line.StartsWith("Outage", StringComparison.Ordinal)).ShouldBe(2);
    }

    [Fact]
    public async Task One_of_two_that_fails_is_a_failure()
    {
        fleet.Answers.Started = new StartUpgradeResponse { RolloutId = "r", Upgrades = { Some.Upgrade("Admitted"), Some.Upgrade("Admitted", Other, "vm-2") } };
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Complete, Some.Completed()));
        fleet.Answers.OnWatch(Other, new Watch(Ending.Complete, Some.RolledBack(Other, "vm-2")));
        (await Cli.RunAsync(fleet, "upgrade", "start", "--host", "host-1", "--image", "i", "--watch")).Code.ShouldBe(ExitCode.UpgradeFailed);
    }

    private static async Task Until(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(Cli.Patience);
        while (!condition())
        {
            await Task.Delay(10, patience.Token);
        }
    }

    private Task<Outcome> WatchAsync(params string[] more) => Cli.RunAsync(fleet, ["upgrade", "watch", Some.Id, .. more]);
}
