using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Upgrades;

public sealed class FailingUpgradeTests(ServersFixture servers)
{
    private async Task<(Wire.Upgrade End, UpgradeStep[] Asked)> RunAsync(
        Func<TestHostAgent, ExecuteStep, Task> answer, params string[] settings)
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync(settings);
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        host.OnCommand = command => answer(host, command);
        string id = (await coordinator.StartUpgradeAsync("h1")).Upgrades.Single().Id;
        Wire.Upgrade end = (await coordinator.WatchAsync(id))[^1];

        // Nothing stays behind: the guest may be upgraded again.
        (await coordinator.StartUpgradeAsync("h1")).Upgrades.Count.ShouldBe(1);
        return (end, [.. host.StepsAsked(Guid.Parse(id))]);
    }

    [Fact]
    public async Task When_a_step_fails_before_the_commit_kernel_A_gets_everything_back()
    {
        (Wire.Upgrade end, UpgradeStep[] asked) = await RunAsync((host, command) => command.Step == UpgradeStep.Standby
            ? host.SayAsync(host.Failed(command, UpgradeFailure.StandbyKernelPanicked, "Kernel B panicked: not syncing."))
            : host.AnswerAsync(command));
        (end.State, end.FailedStep, end.Failure, end.Reason)
            .ShouldBe(("RolledBack", "Standby", "StandbyKernelPanicked", "Kernel B panicked: not syncing."));
        (end.Ended, end.Succeeded, end.KernelReleaseAfter).ShouldBe((true, false, "6.1.0"));
        asked.ShouldBe([UpgradeStep.Preflight, UpgradeStep.Reserve, UpgradeStep.Load, UpgradeStep.Boot, UpgradeStep.Standby, UpgradeStep.RollBack]);
        end.Steps.Select(step => step.State).ShouldBe(["Succeeded", "Succeeded", "Succeeded", "Succeeded", "Failed", "Succeeded"]);
        end.Steps[4].Timings.Count.ShouldBe(3);
    }

    [Theory]
    [InlineData(UpgradeStep.Transfer, UpgradeStep.Transfer)]
    [InlineData(UpgradeStep.Transfer, UpgradeStep.RollBack)]
    public async Task When_kernel_B_took_over_a_commit_follows_and_not_a_roll_back(UpgradeStep fails, UpgradeStep seen)
    {
        (Wire.Upgrade end, UpgradeStep[] asked) = await RunAsync((host, command) =>
            command.Step == seen ? host.SayAsync(host.Failed(command, UpgradeFailure.TookOver, "A panicked, and B took over."))
            : command.Step == fails ? host.SayAsync(host.Failed(command, UpgradeFailure.GuestAgentUnreachable, "Nobody answers."))
            : host.AnswerAsync(command));
        (end.State, end.Succeeded, end.Failure, end.Reason).ShouldBe(("Completed", true, "", ""));
        end.TakenOver.ShouldBe($"In {seen}: A panicked, and B took over.");
        end.KernelReleaseAfter.ShouldBe("6.12.1");
        asked[^2..].ShouldBe([seen, UpgradeStep.Commit]);
    }

    [Fact]
    public async Task When_preflight_finds_a_blocker_nothing_is_rolled_back()
    {
        (Wire.Upgrade end, UpgradeStep[] asked) = await RunAsync((host, command) =>
            host.SayAsync(host.Failed(command, UpgradeFailure.PreflightBlocked, "One CPU only.")));
        (end.State, end.FailedStep, end.Failure).ShouldBe(("RolledBack", "Preflight", "PreflightBlocked"));
        asked.ShouldBe([UpgradeStep.Preflight]);
    }

    [Fact]
    public async Task When_the_host_accepts_and_falls_silent_the_deadline_rolls_back()
    {
        (Wire.Upgrade end, UpgradeStep[] asked) = await RunAsync((host, command) => command.Step == UpgradeStep.Boot
            ? host.SayAsync(host.Accepted(command))
            : host.AnswerAsync(command), "--Upgrades:Deadlines:Boot=00:00:01");
        (end.State, end.FailedStep, end.Failure).ShouldBe(("RolledBack", "Boot", "HostAgentSilent"));
        end.Reason.ShouldBe("host h1 accepted Boot but reported no result within 1 s");
        asked[^1].ShouldBe(UpgradeStep.RollBack);
    }

    [Fact]
    public async Task When_the_host_does_not_accept_in_time_the_step_is_given_up()
    {
        (Wire.Upgrade end, _) = await RunAsync((host, command) => command.Step == UpgradeStep.Reserve
            ? Task.CompletedTask
            : host.AnswerAsync(command), "--Upgrades:AcceptWithin=00:00:06");
        (end.State, end.FailedStep, end.Failure).ShouldBe(("RolledBack", "Reserve", "HostAgentSilent"));
        end.Reason.ShouldStartWith("host h1 did not accept Reserve within 6 s");
    }

    [Fact]
    public async Task When_the_roll_back_fails_it_is_tried_again()
    {
        int tries = 0;
        (Wire.Upgrade end, UpgradeStep[] asked) = await RunAsync((host, command) => command.Step switch
        {
            UpgradeStep.Load => host.SayAsync(host.Failed(command, UpgradeFailure.ImageDigestMismatch, "vmlinuz differs.")),
            UpgradeStep.RollBack when Interlocked.Increment(ref tries) < 3 =>
                host.SayAsync(host.Failed(command, UpgradeFailure.GuestAgentUnreachable, "No answer.", guestAnswers: false)),
            _ => host.AnswerAsync(command),
        });
        (end.State, end.FailedStep, end.Failure, end.Reason).ShouldBe(("RolledBack", "Load", "ImageDigestMismatch", "vmlinuz differs."));
        asked.Count(step => step == UpgradeStep.RollBack).ShouldBe(3);
        end.Steps.Count(step => step.Step == "RollBack").ShouldBe(3);
    }

    [Fact]
    public async Task When_every_roll_back_fails_the_upgrade_has_failed_and_says_what_was_seen_last()
    {
        (Wire.Upgrade end, UpgradeStep[] asked) = await RunAsync((host, command) => command.Step switch
        {
            UpgradeStep.CutOver => host.SayAsync(host.Failed(command, UpgradeFailure.MachineGone, "QEMU ended.", guestAnswers: false)),
            UpgradeStep.RollBack =>
                host.SayAsync(host.Failed(command, UpgradeFailure.MachineGone, "QEMU does not run.", guestAnswers: false)),
            _ => host.AnswerAsync(command),
        }, "--Upgrades:RollBackAttempts=2");
        (end.State, end.FailedStep, end.Failure).ShouldBe(("Failed", "CutOver", "RollBackFailed"));
        end.Reason.ShouldBe("QEMU ended.; then the roll-back failed 2 times, at last: QEMU does not run.; the guest did not answer");
        asked.Count(step => step == UpgradeStep.RollBack).ShouldBe(2);
    }

    [Fact]
    public async Task When_the_commit_fails_it_is_tried_again_and_never_rolled_back()
    {
        int tries = 0;
        (Wire.Upgrade end, UpgradeStep[] asked) = await RunAsync((host, command) =>
            command.Step == UpgradeStep.Commit && Interlocked.Increment(ref tries) < 3
                ? host.SayAsync(host.Failed(command, UpgradeFailure.CommitIncomplete, "Block 7 was not added."))
                : host.AnswerAsync(command));
        (end.State, end.Succeeded, end.Failure, end.Reason).ShouldBe(("Completed", true, "", ""));
        end.Steps.Where(step => step.Step == "Commit").Select(step => step.State).ShouldBe(["Failed", "Failed", "Succeeded"]);
        asked.ShouldNotContain(UpgradeStep.RollBack);
    }

    [Fact]
    public async Task When_every_commit_fails_the_upgrade_ends_incomplete()
    {
        (Wire.Upgrade end, _) = await RunAsync((host, command) => command.Step == UpgradeStep.Commit
            ? host.SayAsync(host.Failed(command, UpgradeFailure.CommitIncomplete, "Block 7 was not added."))
            : host.AnswerAsync(command), "--Upgrades:CommitAttempts=2");
        (end.State, end.Ended, end.Succeeded, end.Failure).ShouldBe(("CommitIncomplete", true, false, "CommitIncomplete"));
    }
}
