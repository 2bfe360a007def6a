using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Simulator.Hosts;
using TwinKernel.Fleet.Simulator.Journal;
using TwinKernel.Fleet.Simulator.Scenarios;

namespace TwinKernel.Fleet.Simulator.Tests;

/// <summary>What a file says, and what chance makes of it.</summary>
public sealed class ScenarioTests
{
    private static readonly Config Quick = Config.QuickThrowOnFailure.WithMaxTest(100);

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once_with_its_path()
    {
        InvalidScenarioException wrong = Should.Throw<InvalidScenarioException>(() => SampleScenario.Read(
            """
            "timeScale": 0, "heartbeat": "often", "sed": 1,
            "hosts": [
              { "name": "Big", "image": "debian-5", "count": 0, "labels": { "host": ["a"], "zone": [] } },
              { "name": "b", "image": "debian-6.1" }, { "name": "b", "image": "debian-6.1" }
            ],
            "steps": { "Boot": { "latency": { "median": "2s", "p95": "1s" }, "failures": { "Bored": 0.5, "LaunchTimedOut": 1.5 } }, "Boots": {} },
            "silences": [{ "hosts": "c", "share": 2, "at": "1s" }],
            "restarts": {}
            """));
        foreach (string path in new[]
        {
            "timeScale", "heartbeat", "sed", "hosts[0].name", "hosts[0].image", "hosts[0].count", "hosts[0].labels.host", "hosts[0].labels.zone",
            "hosts", "steps.Boot.latency.p95", "steps.Boot.failures.Bored", "steps.Boot.failures.LaunchTimedOut", "steps.Boots",
            "silences[0].hosts", "silences[0].share", "silences[0].for", "restarts",
        })
        {
            wrong.Errors.ShouldContain(error => error.StartsWith($"{path}: ", StringComparison.Ordinal), path);
        }

        Should.Throw<InvalidScenarioException>(() => ScenarioReader.Read("{"u8.ToArray())).Errors.ShouldHaveSingleItem().ShouldStartWith("$: ");
        Should.Throw<InvalidScenarioException>(() => ScenarioReader.Read("{}"u8.ToArray())).Errors.Count.ShouldBe(2, "images and hosts");
    }

    [Fact]
    public void Hosts_have_every_combination_of_labels()
    {
        Scenario scenario = SampleScenario.Read(
            """ "hosts": [{ "name": "h", "count": 12, "guests": 2, "image": "debian-6.1", "labels": { "zone": ["a", "b"], "rack": ["1", "2", "3"], "pool": "web" } }] """);
        IReadOnlyList<SimulatedHost> hosts = SimulatedHost.AllOf(scenario, new Decisions(scenario), FleetJournal.None);
        hosts.Select(host => host.Name).ShouldBe(Enumerable.Range(1, 12).Select(number => $"h-{number:D2}"));
        hosts.GroupBy(host => (host.Labels["zone"], host.Labels["rack"])).Select(same => same.Count()).ShouldBe([2, 2, 2, 2, 2, 2]);
        hosts.ShouldAllBe(host => host.Labels["pool"] == "web" && host.Guests.Count == 2);
    }

    [Fact]
    public void A_decision_depends_on_the_seed_and_on_nothing_that_was_decided_before()
    {
        static Scenario Of(long seed) => SampleScenario.OneHost(
            $$""" "seed": {{seed}}, "steps": { "others": { "latency": { "median": "1s", "p95": "3s" }, "failures": { "Internal": 0.3, "MachineGone": 0.2 } } } """);
        Prop.ForAll<long, int, byte>((seed, epoch, attempt) =>
        {
            Decisions one = new(Of(seed));
            Decisions other = new(Of(seed));
            StepDecision first = one.Of("h", "g", epoch, UpgradeStep.Boot, attempt);
            _ = other.Of("x", "g", epoch, UpgradeStep.Load, 1);
            _ = other.Outage("h", "g", epoch);
            return first == other.Of("h", "g", epoch, UpgradeStep.Boot, attempt) && first.Latency > TimeSpan.Zero && first.Latency <= TimeSpan.FromSeconds(12);
        }).Check(Quick);
        Enumerable.Range(1, 50).Select(seed => new Decisions(Of(seed)).Of("h", "g", 1, UpgradeStep.Boot, 1)).Distinct().Count().ShouldBe(50);
    }

    [Fact]
    public void Chance_is_as_the_scenario_says()
    {
        Scenario scenario = SampleScenario.OneHost(
            """
            "steps": { "Boot": { "latency": { "median": "1s", "p95": "3s", "most": "10s" }, "failures": { "LaunchTimedOut": 0.1, "MachineGone": 0.3 } } },
            "silences": [{ "share": 0.25, "at": "1s", "for": "1s" }]
            """);
        Decisions decisions = new(scenario);
        StepDecision[] made = [.. Enumerable.Range(1, 10_000).Select(epoch => decisions.Of("h", "g", epoch, UpgradeStep.Boot, 1))];
        made.Count(one => one.Failure == UpgradeFailure.LaunchTimedOut).ShouldBeInRange(900, 1100);
        made.Count(one => one.Failure == UpgradeFailure.MachineGone).ShouldBeInRange(2850, 3150);
        TimeSpan[] sorted = [.. made.Select(one => one.Latency).Order()];
        sorted[5_000].TotalSeconds.ShouldBeInRange(0.95, 1.05);
        sorted[9_500].TotalSeconds.ShouldBeInRange(2.7, 3.3);
        sorted[^1].ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(10));
        Enumerable.Range(1, 10_000).Count(number => decisions.Concerns("silence", 0, scenario.Silences[0], "h", $"h-{number}")).ShouldBeInRange(2350, 2650);
        decisions.Of("h", "g", 1, UpgradeStep.Load, 1).ShouldBe(new StepDecision(TimeSpan.FromSeconds(1), UpgradeFailure.None), "the default");
    }
}
