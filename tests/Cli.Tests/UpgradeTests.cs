using System.Text.Json;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class UpgradeTests : IAsyncLifetime
{
    private FakeFleet fleet = null!;

    public async ValueTask InitializeAsync() => fleet = await FakeFleet.StartAsync();

    public ValueTask DisposeAsync() => fleet.DisposeAsync();

    [Fact]
    public async Task Show_tells_all_of_a_completed_upgrade()
    {
        fleet.Answers.Current = Some.Completed();
        var outcome = await Cli.RunAsync(fleet, "upgrade", "show", "11111111");
        outcome.Code.ShouldBe(0);
        outcome.Lines.Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ShouldBe(
        [
            $"Upgrade {Some.Id}: guest vm-1 on host-1 to debian-6.12 (sha256:0123456789ab)",
            "Completed after 34.25 s",
            "STEP STATE DURATION CLOCK",
            "Reserve Succeeded 1.24 s host agent",
            $"reserve.memory.offline 850.4 ms guest:{Some.BootA}",
            "Commit Succeeded 312.5 us host agent",
            "Strategy Twin",
            "Signature valid, as the old kernel says",
            "Outage observed from outside: 87.0 ms longest gap, 12,345 probes, 1 ms apart in the cut-over, 85 unanswered",
            "Kernel 6.1.0-56-cloud-amd64 -> 6.12.117+deb12-cloud-amd64",
            $"Boot id {Some.BootA} -> {Some.BootB}",
            "CPUs 4 of 4 online",
            "Memory 1,024.0 MiB of 1,024.0 MiB owned",
        ]);
        outcome.Out.ShouldContain("\n  reserve.memory.offline");
        fleet.Answers.Requests.ShouldBe([new GetUpgradeRequest { Id = "11111111" }]);
    }

    [Fact]
    public async Task Show_tells_that_the_new_kernel_took_over_and_start_asks_for_it()
    {
        fleet.Answers.Current = Some.Completed();
        fleet.Answers.Current.TakenOver = "In Standby: Kernel A panicked.";
        (await Cli.RunAsync(fleet, "upgrade", "show", Some.Id)).Lines[2].ShouldBe("Taken over without a cut-over: In Standby: Kernel A panicked.");

        (await Cli.RunAsync(fleet, "upgrade", "start", "--host", "h", "--image", "i", "--on-panic", "failover")).Code.ShouldBe(0);
        fleet.Answers.Requests.OfType<StartUpgradeRequest>().Single().OnPanic.ShouldBe("failover");
        (await Cli.RunAsync(fleet, "upgrade", "start", "--host", "h", "--image", "i", "--on-panic", "pray")).Code.ShouldBe(ExitCode.Usage);
    }

    [Fact]
    public async Task Show_tells_where_and_why_an_upgrade_failed_and_what_to_do()
    {
        fleet.Answers.Current = Some.RolledBack();
        var outcome = await Cli.RunAsync(fleet, "upgrade", "show", Some.Id);
        outcome.Code.ShouldBe(0);
        outcome.Out.ShouldContain("RolledBack after 1 min 10 s");
        outcome.Out.ShouldContain("Failed at Standby: StandbyKernelSilent: Kernel B did not report in within 20 s.");
        outcome.Out.ShouldContain("Outage    not measured");
        outcome.Out.ShouldContain("Next: the guest goes on with its old kernel");
    }

    [Fact]
    public async Task Show_tells_why_a_strategy_was_chosen_and_that_there_was_no_old_kernel_to_go_back_to()
    {
        fleet.Answers.Current = Some.RolledBack();
        fleet.Answers.Current.Strategy = "Kexec";
        fleet.Answers.Current.StrategyReason = "no twin: cpus: one CPU is online";
        fleet.Answers.Current.BootIdAfter = Some.BootB;
        var outcome = await Cli.RunAsync(fleet, "upgrade", "show", Some.Id);
        outcome.Out.ShouldContain("Strategy  Kexec (no twin: cpus: one CPU is online)");
        outcome.Out.ShouldContain("Next: the guest was started again on its old image");
    }

    [Fact]
    public async Task Show_tells_what_a_running_upgrade_waits_for()
    {
        fleet.Answers.Current = Some.Running("Load");
        var outcome = await Cli.RunAsync(fleet, "upgrade", "show", Some.Id);
        outcome.Out.ShouldContain("Waits for: Load on vm-1");
        outcome.Out.ShouldNotContain("Outage");
    }

    [Fact]
    public async Task Show_gives_the_message_as_JSON()
    {
        fleet.Answers.Current = Some.Completed();
        var outcome = await Cli.RunAsync(fleet, "upgrade", "show", Some.Id, "--json");
        Upgrade.Parser.ParseJson(outcome.Out).ShouldBe(fleet.Answers.Current);
        JsonDocument.Parse(outcome.Out).RootElement.GetProperty("outage").GetProperty("longestGap").GetString().ShouldBe("0.087s");
    }

    [Fact]
    public async Task An_observer_that_was_interrupted_is_said_to_be()
    {
        fleet.Answers.Current = Some.Completed();
        fleet.Answers.Current.Outage.Interrupted = true;
        (await Cli.RunAsync(fleet, "upgrade", "show", Some.Id)).Out.ShouldContain("a longer gap may have been missed");
    }

    [Fact]
    public async Task Start_says_what_was_started_and_how_to_watch_it()
    {
        fleet.Answers.Started = new StartUpgradeResponse { RolloutId = "r", Upgrades = { Some.Upgrade("Admitted") } };
        var outcome = await Cli.RunAsync(fleet, "upgrade", "start", "--host", "host-1", "--image", "debian-6.12");
        outcome.Code.ShouldBe(0);
        outcome.Lines.ShouldBe([$"Started upgrade {Some.Id} of guest vm-1 to debian-6.12.", $"Next: twinfleet upgrade watch {Some.Id}"]);
        var request = fleet.Answers.Requests.Single().ShouldBeOfType<StartUpgradeRequest>();
        (request.Host, request.Image, request.Strategy, request.RequireSignature).ShouldBe(("host-1", "debian-6.12", "twin", false));
        Guid.TryParse(request.RequestId, out var id).ShouldBeTrue();
        id.ShouldNotBe(Guid.Empty);
    }

    [Fact]
    public async Task Start_passes_strategy_and_required_signature_on_and_knows_no_other_strategy()
    {
        fleet.Answers.Started = new StartUpgradeResponse { RolloutId = "r", Upgrades = { Some.Upgrade("Admitted") } };
        (await Cli.RunAsync(fleet, "upgrade", "start", "--host", "h", "--image", "i", "--strategy", "auto", "--require-signature")).Code.ShouldBe(0);
        var request = (StartUpgradeRequest)fleet.Answers.Requests.Single();
        (request.Strategy, request.RequireSignature).ShouldBe(("auto", true));
        (await Cli.RunAsync(fleet, "upgrade", "start", "--host", "h", "--image", "i", "--strategy", "magic")).Code.ShouldNotBe(0);
        fleet.Answers.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Start_passes_the_request_id_on()
    {
        fleet.Answers.Started = new StartUpgradeResponse { RolloutId = "r", Upgrades = { Some.Upgrade("Admitted") } };
        var outcome = await Cli.RunAsync(fleet, "upgrade", "start", "--host", "h", "--image", "i", "--request-id", Some.Id, "--json");
        StartUpgradeResponse.Parser.ParseJson(outcome.Out).ShouldBe(fleet.Answers.Started);
        ((StartUpgradeRequest)fleet.Answers.Requests.Single()).RequestId.ShouldBe(Some.Id);
    }
}
