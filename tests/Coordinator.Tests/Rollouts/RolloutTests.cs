using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Rollouts;

/// <summary>Rollouts over several hosts, with the real database and the real broker.</summary>
public sealed class RolloutTests(ServersFixture servers)
{
    private const string TwoWaves = """ "selector": "*", "canary": {"count": 1}, "waves": [] """;

    [Fact]
    public async Task The_canary_goes_first_the_rest_follows_and_everything_is_let_go()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        ConcurrentQueue<(string Guest, UpgradeStep Step)> order = await StartHostsAsync(fleet);

        Wire.RolloutPlan plan = await coordinators[0].Client.PlanRolloutAsync(new Wire.PlanRolloutRequest { Definition = $$"""{"name": "r", "image": "debian-6.12", {{TwoWaves}}}""" });
        plan.Waves.Select(wave => wave.Guests.Count).ShouldBe([1, 3]);
        (await fleet.Read(db => db.Rollouts.CountAsync())).ShouldBe(0, "a plan changes nothing");

        Wire.Rollout made = await coordinators[0].CreateRolloutAsync("r", TwoWaves, start: false);
        (made.State, made.PlanHash, made.WaitsFor).ShouldBe(("Ready", plan.Hash, "Waits to be started."));
        made.Members.ShouldAllBe(member => member.State == "Waiting" && member.Why == "Waits to be started.");
        await coordinators[1].ControlAsync("r", "start");
        Wire.Rollout end = await coordinators[1].UntilAsync("r", "Completed");

        end.Succeeded.ShouldBeTrue();
        end.Members.ShouldAllBe(member => member.State == "Succeeded" && member.Attempt == 1);
        string canary = $"{end.Members[0].Host}/{end.Members[0].Guest}";
        order.TakeWhile(one => one.Guest == canary).Last().Step.ShouldBe(UpgradeStep.Commit, "nobody else begins before the canary has ended");
        order.Where(one => one.Step == UpgradeStep.Preflight).Select(one => one.Guest).ShouldBeUnique();
        (await fleet.Read(db => db.AdmissionLeases.CountAsync())).ShouldBe(0);
        (await fleet.Read(db => db.RolloutMembers.CountAsync(member => member.Held))).ShouldBe(0);

        Wire.ListAuditResponse audit = await coordinators[0].Client.ListAuditAsync(new Wire.ListAuditRequest { Rollout = "r" });
        audit.Entries.Select(entry => (entry.Actor, entry.Act)).ShouldBe(
        [
            ("ann", "create"), ("bob", "start"), ("coordinator", "wave-ended"), ("coordinator", "settled"),
            ("coordinator", "wave-ended"), ("coordinator", "settled"),
        ]);

        // Nothing is left to do.
        Wire.Rollout again = await coordinators[0].CreateRolloutAsync("again", """ "selector": "*" """);
        (await coordinators[0].UntilAsync("again", "Completed")).Members.ShouldAllBe(member => member.State == "Skipped");
        again.Id.ShouldNotBe(made.Id);
    }

    [Fact]
    public async Task Limits_hold_for_all_coordinators_together()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        ConcurrentDictionary<string, int> running = [];
        int most = 0;
        TestHostAgent[] hosts = [await fleet.StartHostAsync("h1", "a", "b", "c"), await fleet.StartHostAsync("h2", "a", "b", "c")];
        foreach (TestHostAgent host in hosts)
        {
            host.OnCommand = async command =>
            {
                if (command.Step == UpgradeStep.Preflight)
                {
                    running.AddOrUpdate(host.Host, 1, (_, count) => count + 1).ShouldBe(1, "one at a time on a host");
                    InterlockedMax(ref most, running.Values.Sum());
                }
                else if (command.Step == UpgradeStep.Commit)
                {
                    running.AddOrUpdate(host.Host, 0, (_, count) => count - 1);
                }

                await host.AnswerAsync(command);
            };
        }

        // Two rollouts at once; the fleet's own limit counts both.
        await coordinators[0].Client.SetFleetPolicyAsync(new Wire.SetFleetPolicyRequest { Policy = """{"limits": [{"layer": "host", "maxConcurrent": "1"}]}""", Actor = "ann" });
        await Task.WhenAll(
            coordinators[0].CreateRolloutAsync("one", """ "selector": "guest in (a,b)" """),
            coordinators[1].CreateRolloutAsync("two", """ "selector": "guest=c" """));
        (await coordinators[2].UntilAsync("one", "Completed")).Succeeded.ShouldBeTrue();
        (await coordinators[2].UntilAsync("two", "Completed")).Succeeded.ShouldBeTrue();
        most.ShouldBeLessThanOrEqualTo(2);
        (await fleet.Read(db => db.Upgrades.CountAsync())).ShouldBe(6);
    }

    [Fact]
    public async Task A_canary_that_fails_pauses_the_rollout_until_a_person_retries()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "a", "b");
        bool broken = true;
        host.OnCommand = command => broken && command.Step == UpgradeStep.Boot
            ? host.SayAsync(host.Failed(command, UpgradeFailure.LaunchTimedOut, "no CPU started"))
            : host.AnswerAsync(command);

        await coordinator.CreateRolloutAsync("r", """ "selector": "*", "canary": {"count": 1, "errors": {"attempts": 2, "backoff": "0s"}} """);
        Wire.Rollout paused = await coordinator.UntilAsync("r", "Paused");
        Wire.RolloutMember failed = paused.Members[0];
        (failed.State, failed.Attempt).ShouldBe(("Failed", 2u));
        failed.Why.ShouldContain("no CPU started");
        paused.Members[1].Why.ShouldStartWith("Waits for wave 2. Is paused: ");
        host.Commands.ShouldAllBe(one => one.Command.Guest == failed.Guest);
        (await coordinator.Client.ListGuestsAsync(new Wire.ListGuestsRequest())).Guests.Single(guest => guest.Name == failed.Guest).Quarantine.ShouldContain("no CPU started");

        broken = false;
        await coordinator.ControlAsync("r", "retry");
        await coordinator.ControlAsync("r", "resume");
        Wire.Rollout end = await coordinator.UntilAsync("r", "Completed");
        end.Members.ShouldAllBe(member => member.State == "Succeeded");
    }

    [Fact]
    public async Task A_rollout_that_fails_is_undone_where_it_had_succeeded_and_its_image_is_denied()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "a", "b", "c");
        host.OnCommand = command => command is { Guest: "b", Step: UpgradeStep.Standby }
            ? host.SayAsync(host.Failed(command, UpgradeFailure.StandbyKernelSilent, "silent"))
            : host.AnswerAsync(command);

        await coordinator.CreateRolloutAsync("r",
            """
            "selector": "*", "limits": [{"layer": "fleet", "maxConcurrent": "1"}],
            "waves": [{"count": 3, "errors": {"attempts": 1, "thresholds": [{"count": 1, "action": "roll-back-rollout"}]}}]
            """);
        Wire.Rollout end = await coordinator.UntilAsync("r", "RolledBack");
        end.Members.Select(member => member.State).ShouldBe(["Undone", "Failed", "Skipped"]);
        end.Reason.ShouldNotBeEmpty();
        host.Commands.Where(one => one.Command is { Guest: "a", Step: UpgradeStep.Commit }).Select(one => one.Command.ImageDigest)
            .ShouldBe([FleetUnderTest.ImageB, FleetUnderTest.ImageA], "there, and back to where it came from");
        host.Commands.ShouldNotContain(one => one.Command.Guest == "c");
        Wire.Image image = (await coordinator.Client.ListImagesAsync(new Wire.ListImagesRequest())).Images.Single(one => one.Digest == FleetUnderTest.ImageB);
        image.State.ShouldBe("denied");
        image.Reason.ShouldContain("rollout r");
    }

    [Fact]
    public async Task An_emergency_stop_brings_back_what_runs_and_the_release_lets_it_go_on()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        TestHostAgent host = await fleet.StartHostAsync("h1", "a", "b");
        TaskCompletionSource standing = new(TaskCreationOptions.RunContinuationsAsynchronously);
        bool hold = true;
        host.OnCommand = command =>
        {
            if (hold && command.Step == UpgradeStep.Standby)
            {
                standing.TrySetResult();
                return host.SayAsync(host.Accepted(command));
            }

            return host.AnswerAsync(command);
        };
        await coordinators[0].CreateRolloutAsync("r", """ "selector": "*", "limits": [{"layer": "fleet", "maxConcurrent": "1"}] """);
        await standing.Task.WaitAsync(TimeSpan.FromSeconds(60));
        hold = false;
        Wire.FleetStatus stopped = await coordinators[1].Client.StopFleetAsync(new Wire.StopFleetRequest { Reason = "smoke", Actor = "eve" });
        (stopped.Stopped, stopped.Aborted).ShouldBe((true, 1u));
        Wire.Rollout back = await Eventually.Get(() => coordinators[0].GetRolloutAsync("r"),
            seen => seen.Members.All(member => member.State == "Waiting"), "the guest is back");
        back.Members.ShouldAllBe(member => member.Why.Contains("the fleet was stopped by eve") && member.Attempt == 0);
        (await Should.ThrowAsync<RpcException>(() => coordinators[0].StartUpgradeAsync("h1"))).StatusCode.ShouldBe(StatusCode.AlreadyExists);
        int commands = host.Commands.Count;
        await Task.Delay(TimeSpan.FromMilliseconds(500));
        host.Commands.Count.ShouldBe(commands, "nothing begins");

        await coordinators[0].Client.StopFleetAsync(new Wire.StopFleetRequest { Release = true, Actor = "eve" });
        (await coordinators[0].UntilAsync("r", "Completed")).Succeeded.ShouldBeTrue();
        (await fleet.Read(db => db.Audit.OrderBy(entry => entry.Id).Select(entry => entry.Act).ToListAsync())).ShouldContain("stop-all");
    }

    [Fact]
    public async Task Another_person_approves_exactly_the_plan()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await StartHostsAsync(fleet);
        Wire.Rollout made = await coordinator.CreateRolloutAsync("r", $""" "fourEyes": true, "approvalLasts": "1h", {TwoWaves}""", start: false);
        made.State.ShouldBe("AwaitingApproval");
        await RefusedAsync(coordinator.ControlAsync("r", "start"), "another person must approve");
        await RefusedAsync(ApproveAsync("ann", made.PlanHash), "another person");
        await RefusedAsync(ApproveAsync("bob", "sha256:00"), "not sha256:00");
        Wire.Rollout approved = await ApproveAsync("bob", made.PlanHash);
        approved.State.ShouldBe("Ready");
        approved.Approvals.Single().ApprovedBy.ShouldBe("bob");

        // A guest more, and the plan is another one.
        await fleet.StartHostAsync("h9", "late");
        await RefusedAsync(coordinator.ControlAsync("r", "start"), "The plan has changed");
        (await coordinator.ControlAsync("r", "cancel", "no longer wanted")).State.ShouldBe("Cancelled");
        await coordinator.ControlAsync("r", "cancel");

        async Task<Wire.Rollout> ApproveAsync(string who, string hash) =>
            await coordinator.Client.ApproveRolloutAsync(new Wire.ApproveRolloutRequest { Rollout = "r", PlanHash = hash, Actor = who });

        static async Task RefusedAsync(Task call, string what)
        {
            RpcException refused = await Should.ThrowAsync<RpcException>(() => call);
            (refused.StatusCode, refused.Status.Detail.Contains(what, StringComparison.Ordinal)).ShouldBe((StatusCode.FailedPrecondition, true), refused.Status.Detail);
        }
    }

    [Fact]
    public async Task Everything_that_is_wrong_comes_in_one_answer_and_nothing_is_made()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await StartHostsAsync(fleet);
        string[] fields = await ViolationsAsync(
            """{"name": "No Name", "image": "nobody", "onPanic": "cry", "selector": "zone=", "windows": ["never"], "waves": [{"percent": 120}, {"count": 0}], "strategy": "hope"}""");
        fields.ShouldContain("name");
        fields.ShouldContain("image");
        fields.ShouldContain("onPanic");
        fields.ShouldContain("strategy");
        fields.ShouldContain(field => field.StartsWith("windows[0]"));
        fields.ShouldContain(field => field.StartsWith("waves[0]"));
        fields.ShouldContain(field => field.StartsWith("waves[1]"));
        (await ViolationsAsync("""{"name": "r", "image": "debian-6.12", "wavs": []}""")).ShouldNotBeEmpty();
        (await ViolationsAsync("[]")).ShouldBe([""]);
        (await ViolationsAsync("""{"name": "r", "image": "debian-6.12", "selector": "zone=nowhere"}""")).ShouldContain("selector");
        (await fleet.Read(db => db.Rollouts.CountAsync())).ShouldBe(0);

        // Two rollouts never on one guest.
        await coordinator.CreateRolloutAsync("first", """ "selector": "*" """, start: false);
        (await ViolationsAsync("""{"name": "second", "image": "debian-6.12", "selector": "*"}""")).ShouldAllBe(field => field == "guests");
        (await ViolationsAsync("""{"name": "first", "image": "debian-6.12", "selector": "*"}""")).ShouldContain("name");

        async Task<string[]> ViolationsAsync(string definition)
        {
            RpcException refused = await Should.ThrowAsync<RpcException>(async () => await coordinator.Client.CreateRolloutAsync(
                new Wire.CreateRolloutRequest { Definition = definition, RequestId = Guid.NewGuid().ToString(), Actor = "ann" }));
            refused.StatusCode.ShouldBe(StatusCode.InvalidArgument, refused.Status.Detail);
            return [.. Wire.Violations.Parser.ParseFrom(refused.Trailers.GetValueBytes("twinkernel-violations-bin")).Violations_.Select(one => one.Field)];
        }
    }

    [Fact]
    public async Task A_request_that_is_repeated_makes_one_rollout()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        await StartHostsAsync(fleet);
        Wire.CreateRolloutRequest request = new() { Definition = $$"""{"name": "r", "image": "debian-6.12", {{TwoWaves}}}""", RequestId = Guid.NewGuid().ToString(), Actor = "ann" };
        Wire.Rollout[] made = await Task.WhenAll(Enumerable.Range(0, 6).Select(async i => await coordinators[i % 2].Client.CreateRolloutAsync(request)));
        made.Select(one => one.Id).Distinct().Count().ShouldBe(1);
        (await fleet.Read(db => db.RolloutMembers.CountAsync())).ShouldBe(4);
    }

    [Fact]
    public async Task When_the_coordinator_that_drives_dies_another_goes_on_and_nobody_is_upgraded_twice()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest first = await fleet.StartCoordinatorAsync();
        ConcurrentQueue<(string Guest, UpgradeStep Step)> order = await StartHostsAsync(fleet);
        await first.CreateRolloutAsync("r", TwoWaves);
        await Eventually.Be(() => order.Any(one => one.Step == UpgradeStep.Load), "the canary is under way");
        await first.DisposeAsync();
        CoordinatorUnderTest second = await fleet.StartCoordinatorAsync();
        (await second.UntilAsync("r", "Completed", TimeSpan.FromSeconds(90))).Succeeded.ShouldBeTrue();
        (await fleet.Read(db => db.Upgrades.CountAsync())).ShouldBe(4);
    }

    [Fact]
    public async Task A_gate_that_says_no_pauses_and_lets_on_when_it_says_yes()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await StartHostsAsync(fleet);
        await using AnsweringServer server = await AnsweringServer.StartAsync();
        server.Status = 503;
        await coordinator.CreateRolloutAsync("r",
            $$"""
            "selector": "*", "canary": {"count": 1, "gates": [
              {"name": "shop", "kind": "http", "point": "after-wave", "target": "{{server.Address}}", "attempts": 2, "interval": "1s", "timeout": "5s"}]}
            """);
        Wire.Rollout paused = await coordinator.UntilAsync("r", "Paused");
        paused.Reason.ShouldContain("gate shop");
        paused.Gates.Single().Answers.Count.ShouldBe(2);
        paused.Members.Count(member => member.State == "Succeeded").ShouldBe(1);
        server.Status = 200;
        await coordinator.ControlAsync("r", "resume");
        (await coordinator.UntilAsync("r", "Completed")).Members.ShouldAllBe(member => member.State == "Succeeded");
    }

    [Fact]
    public async Task A_person_promotes_and_pauses()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await StartHostsAsync(fleet);
        await coordinator.CreateRolloutAsync("r", """ "selector": "*", "canary": {"count": 1, "promotion": "manual"} """);
        Wire.Rollout waiting = await coordinator.UntilAsync("r", "AwaitingPromotion");
        waiting.WaitsFor.ShouldContain("promote");
        await coordinator.ControlAsync("r", "pause", "lunch");
        (await coordinator.GetRolloutAsync("r")).WaitsFor.ShouldBe("Is paused: pause by bob: lunch.");
        RpcException refused = await Should.ThrowAsync<RpcException>(() => coordinator.ControlAsync("r", "promote"));
        refused.Status.Detail.ShouldContain("no wave waits to be promoted");
        await coordinator.ControlAsync("r", "resume");
        await coordinator.ControlAsync("r", "promote");
        (await coordinator.UntilAsync("r", "Completed")).Succeeded.ShouldBeTrue();
    }

    /// <summary>Two hosts with two guests each; all that they are asked, in order.</summary>
    private static async Task<ConcurrentQueue<(string Guest, UpgradeStep Step)>> StartHostsAsync(FleetUnderTest fleet)
    {
        ConcurrentQueue<(string Guest, UpgradeStep Step)> order = [];
        foreach (string name in (string[])["h1", "h2"])
        {
            TestHostAgent host = await fleet.StartHostAsync(name, "a", "b");
            host.OnCommand = command =>
            {
                order.Enqueue(($"{command.Host}/{command.Guest}", command.Step));
                return host.AnswerAsync(command);
            };
        }

        return order;
    }

    private static void InterlockedMax(ref int most, int seen)
    {
        for (int before = most; before < seen; before = most)
        {
            Interlocked.CompareExchange(ref most, seen, before);
        }
    }
}
