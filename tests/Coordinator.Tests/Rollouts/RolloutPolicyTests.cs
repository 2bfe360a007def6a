using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Rollouts;

/// <summary>What a rollout does by its policies when windows close, hosts are away and guests fail; with the real database and the real broker.</summary>
public sealed class RolloutPolicyTests(ServersFixture servers)
{
    private const string OneAtATime = """ "selector": "*", "limits": [{"layer": "fleet", "maxConcurrent": "1"}] """;

    [Theory]
    [InlineData("finish", "Succeeded")]
    [InlineData("roll-back", "Waiting")]
    public async Task When_the_window_closes_nothing_begins_and_what_runs_goes_by_the_policy_until_it_opens_again(string policy, string meanwhile)
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "a", "b");
        Held held = new(host, UpgradeStep.Standby);
        await BlackOutAsync("1999-12-31");
        await coordinator.CreateRolloutAsync("r", $""" {OneAtATime}, "calendars": ["holidays"], "onWindowClose": "{policy}" """);
        ExecuteStep standing = await held.Taken;

        string today = TimeProvider.System.GetUtcNow().AddDays(-1).ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
        await BlackOutAsync(today, """, "to": "2999-12-31" """);
        Wire.Rollout waiting = await coordinator.UntilAsync("r", "WaitingForWindow");
        waiting.WaitsFor.ShouldContain("no window is open");
        await held.LetGoAsync();
        Wire.Rollout closed = await Eventually.Get(() => coordinator.GetRolloutAsync("r"),
            seen => seen.Members.Single(member => member.Guest == standing.Guest).State == meanwhile, $"the guest that ran is {meanwhile}");
        closed.State.ShouldBe("WaitingForWindow");
        closed.Members.Single(member => member.Guest != standing.Guest).State.ShouldBe("Waiting");
        closed.Members.ShouldAllBe(member => member.State == "Succeeded" || member.Attempt == 0, "a window that closes costs nobody an attempt");
        host.Commands.ShouldAllBe(one => one.Command.Guest == standing.Guest);
        host.StepsAsked(standing.UpgradeId).Contains(UpgradeStep.RollBack).ShouldBe(policy == "roll-back");

        await BlackOutAsync("1999-12-31");
        (await coordinator.UntilAsync("r", "Completed")).Members.ShouldAllBe(member => member.State == "Succeeded" && member.Attempt == 1);

        async Task BlackOutAsync(string from, string to = "") => await coordinator.Client.SetFleetPolicyAsync(new Wire.SetFleetPolicyRequest
        {
            Policy = $$"""{"calendars": [{"name": "holidays", "zone": "UTC", "blackouts": [{"name": "closed", "from": "{{from}}"{{to}}}]}]}""",
            Actor = "ann",
        });
    }

    [Theory]
    [InlineData("skip", "Skipped", "Completed")]
    [InlineData("wait", "Waiting", "Running")]
    [InlineData("fail", "Failed", "Paused")]
    public async Task A_guest_whose_host_is_offline_goes_by_the_policy(string policy, string member, string rollout)
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await fleet.StartHostAsync("h1", "a");
        TestHostAgent away = await fleet.StartHostAsync("h2", "b");
        await GoOfflineAsync(fleet, away);
        await coordinator.CreateRolloutAsync("r", $""" "selector": "*", "offline": "{policy}" """);

        Wire.Rollout seen = await Eventually.Get(() => coordinator.GetRolloutAsync("r"),
            now => now.State == rollout && now.Members.Single(one => one.Host == "h1").State == "Succeeded" && now.Members.Single(one => one.Host == "h2").State == member,
            $"h1's guest has succeeded, h2's is {member}, and the rollout {rollout}");
        seen.Members.Single(one => one.Host == "h2").Why.ShouldContain("Host h2 of b is offline");
        away.Commands.ShouldBeEmpty();
        if (policy == "wait")
        {
            await away.BeatAsync();
            (await coordinator.UntilAsync("r", "Completed")).Members.ShouldAllBe(one => one.State == "Succeeded");
        }
    }

    [Fact]
    public async Task The_place_of_a_guest_whose_host_and_coordinator_are_gone_is_free_when_its_lease_runs_out()
    {
        string[] shortLeases = ["--Rollouts:LeaseTime=00:00:10"];
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest first = await fleet.StartCoordinatorAsync(shortLeases);
        TestHostAgent lost = await fleet.StartHostAsync("h1", "a");
        await fleet.StartHostAsync("h2", "b");
        Held held = new(lost, UpgradeStep.Load);
        await first.CreateRolloutAsync("r", OneAtATime);
        await held.Taken;
        (await first.GetRolloutAsync("r")).Members.Single(member => member.Host == "h2").Why.ShouldContain("At most 1 may be upgraded at once");
        await GoOfflineAsync(fleet, lost);
        await first.DisposeAsync();
        DateTimeOffset until = await fleet.Read(db => Task.FromResult(db.AdmissionLeases.Single(lease => lease.HostName == "h1").ExpiresAt));

        CoordinatorUnderTest second = await fleet.StartCoordinatorAsync(shortLeases);
        Wire.Rollout passed = await Eventually.Get(() => second.GetRolloutAsync("r"),
            seen => seen.Members.Single(member => member.Host == "h2").State == "Succeeded", "the other has had the place", TimeSpan.FromSeconds(60));
        passed.Members.Single(member => member.Host == "h1").State.ShouldBe("Running", "its own upgrade goes on");
        (await fleet.Read(db => Task.FromResult(db.Upgrades.Single(upgrade => upgrade.HostName == "h2").CreatedAt))).ShouldBeGreaterThanOrEqualTo(until);

        await lost.BeatAsync();
        await held.LetGoAsync();
        (await second.UntilAsync("r", "Completed")).Succeeded.ShouldBeTrue();
        (await fleet.Read(db => Task.FromResult(db.AdmissionLeases.Count()))).ShouldBe(0);
    }

    [Fact]
    public async Task A_wave_that_fails_is_undone_and_the_waves_before_it_are_not()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "a", "b", "c", "d");
        host.OnCommand = command => command is { Guest: "c", Step: UpgradeStep.Boot }
            ? host.SayAsync(host.Failed(command, UpgradeFailure.LaunchTimedOut, "no CPU started"))
            : host.AnswerAsync(command);

        await coordinator.CreateRolloutAsync("r",
            $$"""
            {{OneAtATime}}, "canary": {"count": 1},
            "waves": [{"percent": 100, "errors": {"attempts": 1, "thresholds": [{"count": 1, "action": "roll-back-wave"}]} }]
            """);
        Wire.Rollout end = await coordinator.UntilAsync("r", "RolledBack");
        end.Members.Select(member => (member.Guest, member.State)).ShouldBe([("a", "Succeeded"), ("b", "Undone"), ("c", "Failed"), ("d", "Skipped")]);
        Commits("a").ShouldBe([FleetUnderTest.ImageB]);
        Commits("b").ShouldBe([FleetUnderTest.ImageB, FleetUnderTest.ImageA], "there, and back to where it came from");
        host.Commands.ShouldNotContain(one => one.Command.Guest == "d");

        IEnumerable<string> Commits(string guest) => host.Commands
            .Where(one => one.Command.Guest == guest && one.Command.Step == UpgradeStep.Commit).Select(one => one.Command.ImageDigest);
    }

    [Fact]
    public async Task A_guest_whose_commit_stays_incomplete_goes_back_and_the_rollout_goes_on()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync("--Upgrades:CommitAttempts=2");
        TestHostAgent host = await fleet.StartHostAsync("h1", "a", "b");
        host.OnCommand = async command =>
        {
            if (command is not { Guest: "a", Step: UpgradeStep.Commit, ImageDigest: FleetUnderTest.ImageB })
            {
                await host.AnswerAsync(command);
                return;
            }

            // Kernel B serves, and the host says so.
            HostHeartbeat beat = host.Heartbeat();
            await host.BeatAsync(beat with { Guests = [beat.Guests[0] with { ImageDigest = FleetUnderTest.ImageB }, beat.Guests[1]] });
            await host.SayAsync(host.Failed(command, UpgradeFailure.CommitIncomplete, "a CPU stays away"));
        };

        await coordinator.CreateRolloutAsync("r",
            $$"""
            {{OneAtATime}},
            "waves": [{"percent": 100, "errors": {"attempts": 1, "thresholds": [{"count": 1, "action": "roll-back-guest"}]} }]
            """);
        Wire.Rollout end = await coordinator.UntilAsync("r", "Completed");
        end.Members.Select(member => (member.Guest, member.State)).ShouldBe([("a", "Undone"), ("b", "Succeeded")]);
        host.Commands.Where(one => one.Command is { Guest: "a", Step: UpgradeStep.Preflight }).Select(one => one.Command.ImageDigest)
            .ShouldBe([FleetUnderTest.ImageB, FleetUnderTest.ImageA]);
        (await coordinator.Client.ListGuestsAsync(new Wire.ListGuestsRequest())).Guests.Single(guest => guest.Name == "a").Quarantine.ShouldContain("a CPU stays away");
    }

    /// <summary>The host says that it beats often, and does not.</summary>
    private static async Task GoOfflineAsync(FleetUnderTest fleet, TestHostAgent host)
    {
        TimeSpan interval = TimeSpan.FromMilliseconds(100);
        await host.BeatAsync(host.Heartbeat() with { Interval = interval });
        await Eventually.Get(
            () => fleet.Read(db => Task.FromResult(db.Hosts.Single(row => row.Name == host.Host))),
            row => row.HeartbeatInterval == interval && !row.IsOnline(TimeProvider.System.GetUtcNow()), $"{host.Host} is offline");
    }

    /// <summary>A host that takes the first command of one step on, and finishes it when it is let go.</summary>
    private sealed class Held
    {
        private readonly TestHostAgent _host;
        private readonly TaskCompletionSource<ExecuteStep> _taken = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Held(TestHostAgent host, UpgradeStep step)
        {
            _host = host;
            host.OnCommand = command => command.Step == step && _taken.TrySetResult(command) ? host.SayAsync(host.Accepted(command)) : host.AnswerAsync(command);
        }

        public Task<ExecuteStep> Taken => _taken.Task.WaitAsync(TimeSpan.FromSeconds(60));

        public async Task LetGoAsync() => await _host.SayAsync(_host.Completed(await Taken));
    }
}
