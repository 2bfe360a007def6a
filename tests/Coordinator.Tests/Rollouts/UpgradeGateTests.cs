using Google.Protobuf;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Rollouts;

/// <summary>Gates inside upgrades: what they guard is not commanded before they have passed, whoever asks them.</summary>
public sealed class UpgradeGateTests(ServersFixture servers)
{
    private const string Gates = """
        "selector": "*", "canary": {"count": 1, "settle": "0s", "gates": [
          {"name": "serves", "kind": "guest-probe", "point": "standby", "interval": "1s", "timeout": "2s"},
          {"name": "checked", "kind": "host-command", "point": "standby", "target": "check --standby", "interval": "1s", "timeout": "2s"},
          {"name": "quiet", "kind": "host-command", "point": "probation", "target": "check --probation", "attempts": 2, "interval": "1s", "timeout": "2s"}
        ], "errors": {"attempts": 1}}, "waves": []
        """;

    [Fact]
    public async Task Transfer_and_probation_are_commanded_when_all_their_gates_have_passed()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        TestHostAgent host = await fleet.StartHostAsync("h1", "a");
        int standby = 0;
        List<UpgradeStep> before = [];
        host.OnInspect = Serves;
        host.OnGateCommand = asked =>
        {
            lock (before)
            {
                before.Add(host.Commands.Last().Command.Step);
                (asked.Guest, asked.Timeout).ShouldBe(("a", TimeSpan.FromSeconds(1.8)));
                // Cannot tell the first time, yes the second: asked again.
                return Ended(asked, asked.CommandLine == "check --standby" && standby++ == 0 ? 2 : 0);
            }
        };
        await coordinators[0].CreateRolloutAsync("r", Gates);
        Wire.Rollout end = await coordinators[1].UntilAsync("r", "Completed");
        end.Members[0].State.ShouldBe("Succeeded");
        before.ShouldBe([UpgradeStep.Standby, UpgradeStep.Standby, UpgradeStep.CutOver]);
        Wire.Upgrade upgrade = await coordinators[0].Client.GetUpgradeAsync(new Wire.GetUpgradeRequest { Id = end.Members[0].Upgrade });
        upgrade.Gates.Select(gate => (gate.Point, gate.Name, gate.State, gate.Answers.Count)).ShouldBe(
            [("Standby", "checked", "Passed", 2), ("Standby", "serves", "Passed", 1), ("Probation", "quiet", "Passed", 1)]);
        upgrade.Gates[0].Answers.ShouldBe(["Inconclusive: h1/a: 'check --standby' cannot tell (said)", "Success: 1 of 1 guests pass"]);
        (await coordinators[0].Client.ListAuditAsync(new Wire.ListAuditRequest { Rollout = "r" })).Entries.Count(entry => entry.Act == "gate").ShouldBe(3);
    }

    [Theory]
    [InlineData(UpgradeStep.Standby, 1, "Gate 'checked' did not succeed after 3 attempts: failure: h1/a: 'check --standby' says no (said) (Standby)")]
    [InlineData(UpgradeStep.CutOver, 3, "Gate 'quiet' did not succeed after 2 attempts: error: h1/a: 'check --probation' ended with exit code 3 (said) (Probation)")]
    public async Task A_gate_that_does_not_succeed_brings_the_guest_back(UpgradeStep last, int exitCode, string reason)
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "a");
        host.OnInspect = Serves;
        host.OnGateCommand = asked => Ended(asked, (asked.CommandLine == "check --standby") == (last == UpgradeStep.Standby) ? exitCode : 0);
        await coordinator.CreateRolloutAsync("r", Gates);
        Wire.Rollout paused = await coordinator.UntilAsync("r", "Paused");
        paused.Members[0].State.ShouldBe("Failed");
        Wire.Upgrade upgrade = await coordinator.Client.GetUpgradeAsync(new Wire.GetUpgradeRequest { Id = paused.Members[0].Upgrade });
        (upgrade.State, upgrade.Failure, upgrade.Reason).ShouldBe(("RolledBack", "GateStopped", reason));
        host.Commands.Select(one => one.Command.Step).TakeLast(2).ShouldBe([last, UpgradeStep.RollBack]);
    }

    [Fact]
    public async Task An_upgrade_that_waits_for_a_gate_says_so_outlives_its_coordinator_and_can_be_aborted()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest first = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "a");
        host.OnInspect = Serves;
        // Nobody answers for the command: each question ends after its two seconds, as an error.
        await first.CreateRolloutAsync("r", Gates.Replace("\"interval\": \"1s\"", "\"attempts\": 100, \"interval\": \"1s\"", StringComparison.Ordinal)
            .Replace("\"attempts\": 2, \"attempts\"", "\"attempts\"", StringComparison.Ordinal));
        await SaysAsync(first, "Waits for the gates before Transfer (Gate 'checked' is asked again, attempt 2 of 100");
        await first.DisposeAsync();

        CoordinatorUnderTest second = await fleet.StartCoordinatorAsync();
        await SaysAsync(second, "attempt 4 of 100");
        await second.ControlAsync("r", "abort");
        (await second.UntilAsync("r", "Stopped")).Members[0].State.ShouldNotBe("Succeeded");
        host.Commands.Select(one => one.Command.Step).TakeLast(2).ShouldBe([UpgradeStep.Standby, UpgradeStep.RollBack]);
    }

    private static Task SaysAsync(CoordinatorUnderTest coordinator, string text) => Eventually.Get(
        async () => (await coordinator.GetRolloutAsync("r")).Members[0].Why, why => why.Contains(text, StringComparison.Ordinal), $"the guest's reason has '{text}'");

    private static GuestInspected Serves(InspectGuest asked) =>
        new() { Host = "h1", Guest = asked.Guest, ObservedAt = DateTimeOffset.UnixEpoch, Inspection = new Inspection().ToByteArray() };

    private static GateCommandEnded Ended(RunGateCommand asked, int exitCode) =>
        new() { Host = asked.Host, Guest = asked.Guest, ExitCode = exitCode, LastLine = "said" };
}
