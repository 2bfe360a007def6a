using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Coordinator.Timings;
using TwinKernel.Fleet.Coordinator.Upgrades;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Upgrades;

public sealed class WholeUpgradeTests(ServersFixture servers)
{
    private static readonly UpgradeStep[] Forward = [.. Enum.GetValues<UpgradeStep>().Where(step => step < UpgradeStep.RollBack)];

    [Fact]
    public async Task When_the_host_does_its_part_the_upgrade_completes_and_its_rows_are_true()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");

        Wire.StartUpgradeResponse started = await coordinator.StartUpgradeAsync("h1");
        Guid id = Guid.Parse(started.Upgrades.Single().Id);
        List<Wire.Upgrade> seen = await coordinator.WatchAsync(started.Upgrades[0].Id[..8]);

        Wire.Upgrade end = seen[^1];
        end.State.ShouldBe("Completed", end.Reason);
        end.Succeeded.ShouldBeTrue();
        end.WaitsFor.ShouldBeEmpty();
        (end.KernelReleaseBefore, end.KernelReleaseAfter).ShouldBe(("6.1.0", "6.12.1"));
        (end.BootIdBefore, end.BootIdAfter).ShouldBe(("aaaa", "bbbb"));
        end.Outage.LongestGap.ToTimeSpan().ShouldBe(TimeSpan.FromTicks(1_234_567));
        end.Steps.Select(step => step.Step).ShouldBe(Forward.Select(step => step.ToString()));
        seen.Select(one => one.State).Distinct().ShouldBeSubsetOf([.. Forward.Select(step => step.ToString()), "Completed"]);
        seen.SkipLast(1).ShouldAllBe(one => one.WaitsFor.Length > 0);

        host.StepsAsked(id).ShouldBe(Forward);
        host.Commands.ShouldAllBe(one => one.Command.Epoch == 1 && one.Command.ImageDigest == FleetUnderTest.ImageB);

        List<UpgradeStepRecord> steps = await fleet.Read(db => db.UpgradeSteps.Include(step => step.Timings)
            .Where(step => step.UpgradeId == id).ToListAsync());
        steps.Count.ShouldBe(Forward.Length);
        foreach (UpgradeStepRecord step in steps)
        {
            IReadOnlyList<StepTiming> sent = host.TimingsOf(step.Step);
            (step.State, step.Attempt, step.DurationNs, step.Clock)
                .ShouldBe((StepOutcome.Succeeded, 1, sent[0].Nanoseconds, sent[0].Clock));
            step.Timings.OrderBy(timing => timing.Position)
                .Select(timing => (timing.Name, timing.Clock, timing.Nanoseconds))
                .ShouldBe(sent.Select(timing => (timing.Name, timing.Clock, timing.Nanoseconds)));
            end.Steps.Single(row => row.Step == step.Step.ToString()).Timings
                .Select(timing => (timing.Name, timing.Clock, (long)timing.Nanoseconds))
                .ShouldBe(sent.Select(timing => (timing.Name, timing.Clock, timing.Nanoseconds)));
        }

        (await fleet.Read(db => db.Outbox.CountAsync(message => message.SentAt == null))).ShouldBe(0);
        GuestRecord guest = await fleet.Read(db => db.Guests.SingleAsync());
        (guest.Epoch, guest.BootId).ShouldBe((1, "bbbb"), "without waiting for a heartbeat the guest is what the last step saw");
    }

    [Theory]
    [InlineData("kexec", UpgradeStrategy.Kexec)]
    [InlineData("reboot", UpgradeStrategy.Reboot)]
    [InlineData("auto", UpgradeStrategy.Kexec)]
    [InlineData("auto", UpgradeStrategy.Reboot)]
    [InlineData("auto", UpgradeStrategy.Twin)]
    public async Task Each_strategy_takes_its_own_steps_and_its_row_says_which(string asked, UpgradeStrategy taken)
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        host.Possible = taken;
        Wire.StartUpgradeRequest request = new() { Host = "h1", Image = "debian-6.12", RequestId = $"{Guid.NewGuid()}", Strategy = asked };

        string id = (await coordinator.Client.StartUpgradeAsync(request)).Upgrades.Single().Id;
        Wire.Upgrade end = (await coordinator.WatchAsync(id))[^1];

        (end.State, end.Strategy, end.StrategyReason).ShouldBe(("Completed", $"{taken}", asked == "auto" ? "no earlier one is possible" : ""));
        end.Signature.ShouldBe(taken == UpgradeStrategy.Reboot ? "" : "valid");
        end.Steps.Select(step => step.Step).ShouldBe(host.StepsAsked(Guid.Parse(id)).Select(step => $"{step}"));
        host.StepsAsked(Guid.Parse(id)).ShouldBe(taken switch
        {
            UpgradeStrategy.Kexec => [UpgradeStep.Preflight, UpgradeStep.Load, UpgradeStep.CutOver, UpgradeStep.Probation, UpgradeStep.Commit],
            UpgradeStrategy.Reboot => [UpgradeStep.Preflight, UpgradeStep.CutOver, UpgradeStep.Probation, UpgradeStep.Commit],
            _ => Forward,
        });
        host.Commands.Where(one => one.Command.Step != UpgradeStep.Preflight).ShouldAllBe(one => one.Command.Strategy == taken);
    }

    [Fact]
    public async Task When_results_come_twice_and_out_of_order_no_step_is_lost_or_doubled()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        host.OnCommand = async command =>
        {
            Guid same = Guid.NewGuid();
            StepCompleted result = host.Completed(command);
            await host.SayAsync(result with { Epoch = command.Epoch - 1 });
            await host.SayAsync(result with { Host = "h2" });
            await Task.WhenAll(
                host.SayAsync(result, same), host.SayAsync(result, same), host.SayAsync(result), host.SayAsync(result));
            await host.SayAsync(host.Accepted(command));
            if (command.Step > UpgradeStep.Preflight)
            {
                await host.SayAsync(host.Failed(
                    command with { Step = command.Step - 1 }, UpgradeFailure.Internal, "too late to matter"));
            }
        };

        Wire.StartUpgradeResponse started = await coordinator.StartUpgradeAsync("h1");
        Guid id = Guid.Parse(started.Upgrades.Single().Id);
        Wire.Upgrade end = (await coordinator.WatchAsync(started.Upgrades[0].Id))[^1];

        end.State.ShouldBe("Completed", end.Reason);
        host.StepsAsked(id).ShouldBe(Forward);
        end.Steps.Count.ShouldBe(Forward.Length);
        end.Steps.ShouldAllBe(step => step.State == "Succeeded" && step.Timings.Count == 3);

        // Every word of the host is in the inbox, and of the results one per step was handled.
        List<InboxMessage> inbox = await Eventually.Get(
            () => fleet.Read(db => db.Inbox.Where(message => message.UpgradeId == id).ToListAsync()),
            rows => rows.Count == 6 * Forward.Length + Forward.Length - 1, "all words are taken in");
        inbox.Where(message => message.Word == StepWord.Completed && message.Ignored is null)
            .Select(message => message.Step).Order().ShouldBe(Forward);
        inbox.Where(message => message.Word == StepWord.Failed)
            .ShouldAllBe(message => message.Ignored == IgnoredEvent.StepIsOver || message.Ignored == IgnoredEvent.AlreadyEnded);
        inbox.Where(message => message.Ignored is not null).Select(message => message.Ignored!.Value).Distinct()
            .ShouldBeSubsetOf([IgnoredEvent.ForeignEpoch, IgnoredEvent.ForeignHost, IgnoredEvent.StepIsOver, IgnoredEvent.AlreadyEnded]);
    }

    [Fact]
    public async Task When_two_coordinators_compete_every_step_of_every_upgrade_is_done_once()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest first = await fleet.StartCoordinatorAsync();
        CoordinatorUnderTest second = await fleet.StartCoordinatorAsync();
        string[] guests = [.. Enumerable.Range(1, 6).Select(number => $"g{number}")];
        TestHostAgent one = await fleet.StartHostAsync("h1", guests);
        TestHostAgent two = await fleet.StartHostAsync("h2", guests);

        Wire.StartUpgradeResponse[] started = await Task.WhenAll(first.StartUpgradeAsync("h1"), second.StartUpgradeAsync("h2"));
        string[] ids = [.. started.SelectMany(rollout => rollout.Upgrades).Select(upgrade => upgrade.Id)];
        ids.Length.ShouldBe(12);
        // Watched at the coordinator that did not start it.
        List<Wire.Upgrade>[] ends = await Task.WhenAll(
            ids.Select((id, index) => (index < 6 ? second : first).WatchAsync(id, TimeSpan.FromSeconds(120))));

        ends.Select(seen => seen[^1].State).ShouldAllBe(state => state == "Completed");
        foreach (string id in ids)
        {
            TestHostAgent host = one.StepsAsked(Guid.Parse(id)).Any() ? one : two;
            host.StepsAsked(Guid.Parse(id)).ShouldBe(Forward);
        }

        (await fleet.Read(db => db.Outbox.CountAsync())).ShouldBe(12 * Forward.Length);
        (await fleet.Read(db => db.UpgradeSteps.CountAsync(step => step.State == StepOutcome.Succeeded && step.Attempt == 1)))
            .ShouldBe(12 * Forward.Length);
    }

    [Fact]
    public async Task When_the_coordinator_dies_on_the_way_the_next_one_goes_on_at_that_step()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        ExecuteStep? held = null;
        host.OnCommand = command =>
        {
            if (command.Step == UpgradeStep.Load)
            {
                held = command;
                return host.SayAsync(host.Accepted(command));
            }

            return host.AnswerAsync(command);
        };
        string id = (await coordinator.StartUpgradeAsync("h1")).Upgrades.Single().Id;
        await Eventually.Be(() => held is not null, "Load was asked for");
        await coordinator.DisposeAsync();
        await host.SayAsync(host.Completed(held!));

        CoordinatorUnderTest next = await fleet.StartCoordinatorAsync();
        (await next.WatchAsync(id))[^1].State.ShouldBe("Completed");
        host.StepsAsked(Guid.Parse(id)).ShouldBe(Forward);
    }

    [Fact]
    public async Task When_a_guest_was_upgraded_before_its_epoch_grows()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        for (int epoch = 1; epoch <= 2; epoch++)
        {
            string id = (await coordinator.StartUpgradeAsync("h1")).Upgrades.Single().Id;
            (await coordinator.WatchAsync(id))[^1].State.ShouldBe("Completed");
            host.Commands.Where(one => one.Command.UpgradeId == Guid.Parse(id)).ShouldAllBe(one => one.Command.Epoch == epoch);
        }

        GuestRecord guest = await fleet.Read(db => db.Guests.SingleAsync());
        guest.Epoch.ShouldBe(2);
    }
}
