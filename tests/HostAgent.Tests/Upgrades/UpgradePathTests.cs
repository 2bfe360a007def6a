using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Tests.Guests;

namespace TwinKernel.Fleet.HostAgent.Tests.Upgrades;

/// <summary>Every step against a guest that keeps the contract, and against one that does not do what it should.</summary>
public sealed class UpgradePathTests : IAsyncLifetime
{
    private Bench _bench = null!;

    public async ValueTask InitializeAsync() => _bench = await Bench.StartAsync();

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task An_upgrade_goes_from_preflight_to_commit()
    {
        _bench.Guest.Before = (call, _) =>
        {
            switch (call)
            {
                case "CutOver": _bench.Guest.SwitchToB(); break;
                case "Commit": _bench.Guest.Commit(); break;
            }

            return Task.CompletedTask;
        };
        Dictionary<UpgradeStep, StepCompleted> done = [];
        foreach (UpgradeStep step in Enum.GetValues<UpgradeStep>().Where(s => s < UpgradeStep.RollBack))
        {
            done.Add(step, await _bench.SucceedAsync(step));
        }

        _bench.Guest.Loaded!.ImageDigest.ShouldBe(_bench.ImageDigest);
        _bench.Guest.LoadedBytes.ShouldBe((long)(_bench.Guest.Loaded.Kernel.Bytes + _bench.Guest.Loaded.Initrd.Bytes));
        done[UpgradeStep.Load].Timings.Select(t => t.Name).ShouldBe(["load", "load.verify", "load.stream"], ignoreOrder: false);
        done[UpgradeStep.Reserve].Timings.Select(t => t.Clock).ShouldBe(["host:h1", "guest:aaaaaaaa-0000-4000-8000-000000000000"]);
        done[UpgradeStep.CutOver].Timings.ShouldContain(new StepTiming { Name = "cutover.adopt", Clock = "guest:bbbbbbbb-0000-4000-8000-000000000000", Nanoseconds = 7 });
        done[UpgradeStep.Boot].Outage.ShouldBeNull();
        ObservedOutage outage = done[UpgradeStep.Commit].Outage.ShouldNotBeNull();
        (outage.Answered > 50, outage.Sent >= outage.Answered, outage.Interrupted, outage.Interval).ShouldBe((true, true, false, TimeSpan.FromMilliseconds(2)));
        done[UpgradeStep.Commit].Guest!.CpusOnline.ShouldBe(2);
        _bench.Machine.Records.ShouldBe(["serving " + _bench.ImageDigest, "committed " + _bench.ImageDigest]);
        _bench.Events.Published.OfType<StepAccepted>().Count().ShouldBe(9);
        _bench.Events.Published.OfType<StepProgressed>().ShouldContain(p => p.Message.StartsWith("100 %"));
        (await _bench.FailAsync(UpgradeStep.RollBack)).Failure.ShouldBe(UpgradeFailure.RollBackFailed, "after the commit there is no way back");
    }

    [Fact]
    public async Task The_standby_card_is_there_from_the_transfer_to_a_roll_back()
    {
        _bench.Machine.Card = new Contracts.Guest.StandbyCard { Mac = "52:54:00:00:00:01", Network = "10.0.3.15/24" };
        (await _bench.SucceedAsync(UpgradeStep.Transfer)).Timings.ShouldContain(t => t.Name == "transfer.plug" && t.Clock == "host:h1");
        _bench.Guest.StandbyCard.ShouldBe(_bench.Machine.Card);
        await _bench.SucceedAsync(UpgradeStep.RollBack);
        _bench.Machine.Records.ShouldBe(["plugged in", "led to its own card", "plugged out", "rolled back"]);
    }

    [Fact]
    public async Task The_service_is_asked_on_the_standby_card_while_its_own_changes_hands()
    {
        _bench.Machine.Card = new Contracts.Guest.StandbyCard { Mac = "52:54:00:00:00:01", Network = "10.0.3.15/24" };
        _bench.Guest.Before = (call, _) =>
        {
            if (call == "CutOver")
            {
                _bench.Machine.Records.ShouldBe(["plugged in", "led to the standby card"]);
                _bench.Guest.SwitchToB();
            }

            return Task.CompletedTask;
        };
        await _bench.SucceedAsync(UpgradeStep.Transfer);
        StepCompleted cutOver = await _bench.SucceedAsync(UpgradeStep.CutOver);
        _bench.Machine.Records.ShouldBe(["plugged in", "led to the standby card", "led to its own card", "serving " + _bench.ImageDigest]);
        cutOver.Timings.Select(timing => timing.Name).ShouldContain("lead.to-own-card");
    }

    [Fact]
    public async Task Without_the_standby_card_that_is_wanted_nothing_is_transferred_and_a_roll_back_works()
    {
        _bench.Machine.Card = new Contracts.Guest.StandbyCard { Mac = "52:54:00:00:00:01", Network = "10.0.3.15/24" };
        _bench.Machine.CardRefused = "QEMU refused: Bus 'standby-port' not found";
        _bench.Machine.NeedsStandbyCard = true;
        StepFailed failed = await _bench.FailAsync(UpgradeStep.Transfer);
        (failed.Failure, failed.Reason.Contains("standby-port", StringComparison.Ordinal)).ShouldBe((UpgradeFailure.TransferRefused, true));
        _bench.CallsOf("Transfer").ShouldBe(0);
        await _bench.SucceedAsync(UpgradeStep.RollBack);
        _bench.Events.Published.OfType<StepProgressed>().ShouldContain(p => p.Message.Contains("may still be plugged in"));
    }

    [Fact]
    public async Task Preflight_tells_every_blocker()
    {
        _bench.Guest.PreflightPasses = false;
        StepFailed failed = await _bench.FailAsync(UpgradeStep.Preflight);
        (failed.Failure, failed.Reason).ShouldBe((UpgradeFailure.PreflightBlocked, "cpus: one CPU only; memory: too little. Possible instead, with an outage of one boot: --strategy kexec"));
        failed.Guest!.BootId.ShouldBe(_bench.Guest.Status.BootId);
    }

    [Fact]
    public async Task A_damaged_image_is_refused_before_the_guest_is_asked()
    {
        string initrd = Path.Combine(_bench.ImageDirectory, "b", "initrd.img");
        byte[] bytes = await File.ReadAllBytesAsync(initrd);
        bytes[99] ^= 1;
        await File.WriteAllBytesAsync(initrd, bytes);
        (await _bench.FailAsync(UpgradeStep.Load)).Failure.ShouldBe(UpgradeFailure.ImageDigestMismatch);
        _bench.CallsOf("Load").ShouldBe(0);
        ExecuteStep other = _bench.Command(UpgradeStep.Preflight) with { ImageDigest = "sha256:" + new string('0', 64) };
        ((StepFailed)await _bench.RunAsync(other)).Failure.ShouldBe(UpgradeFailure.ImageMissing);
    }

    [Theory]
    [InlineData(UpgradeStep.Reserve, "Reserve", "NOT_ENOUGH_MEMORY", UpgradeFailure.ReservationRefused)]
    [InlineData(UpgradeStep.Load, "Load", "DIGEST_MISMATCH", UpgradeFailure.ImageDigestMismatch)]
    [InlineData(UpgradeStep.Load, "Load", "IMAGE_INVALID", UpgradeFailure.ImageInvalid)]
    [InlineData(UpgradeStep.Load, "Load", "SIGNATURE_REJECTED", UpgradeFailure.SignatureRejected)]
    [InlineData(UpgradeStep.Boot, "Start", "LAUNCH_TIMED_OUT", UpgradeFailure.LaunchTimedOut)]
    [InlineData(UpgradeStep.Boot, "Start", "STALE_EPOCH", UpgradeFailure.StaleEpoch)]
    [InlineData(UpgradeStep.Standby, "AwaitStandby", "STANDBY_SILENT", UpgradeFailure.StandbyKernelSilent)]
    [InlineData(UpgradeStep.Transfer, "Transfer", "CPU_OFFLINE_FAILED", UpgradeFailure.TransferRefused)]
    [InlineData(UpgradeStep.CutOver, "CutOver", "DEVICE", UpgradeFailure.TransferRefused)]
    [InlineData(UpgradeStep.Commit, "Commit", "INTERNAL", UpgradeFailure.CommitIncomplete)]
    public async Task What_the_guest_refuses_is_named(UpgradeStep step, string call, string reason, UpgradeFailure expected)
    {
        _bench.Guest.Before = (name, _) => name == call ? throw FakeGuest.Refusal(reason, "for a reason") : Task.CompletedTask;
        StepFailed failed = await _bench.FailAsync(step);
        failed.Failure.ShouldBe(expected, failed.Reason);
        failed.Reason.ShouldContain("for a reason");
        failed.Guest.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_panic_on_kernel_Bs_console_ends_the_wait_at_once_with_the_line()
    {
        await File.WriteAllTextAsync(_bench.Machine.ConsoleLogs[1], "[ 0.1] Kernel panic - not syncing: of an earlier boot\n");
        await _bench.SucceedAsync(UpgradeStep.Boot);
        _bench.Guest.Before = async (call, cancelled) =>
        {
            if (call == "AwaitStandby")
            {
                await File.AppendAllTextAsync(_bench.Machine.ConsoleLogs[1], "Linux version 6.12\r\n[ 1.0] Kernel panic - not syncing: No working init found.\r\n[ 1.1] Call Trace:\r\n", cancelled);
                await Task.Delay(Timeout.Infinite, cancelled);
            }
        };
        StepFailed failed = await _bench.FailAsync(UpgradeStep.Standby);
        failed.Failure.ShouldBe(UpgradeFailure.StandbyKernelPanicked);
        failed.Reason.ShouldContain("not syncing: No working init found");
        failed.Reason.ShouldContain("Call Trace");
        failed.Reason.ShouldNotContain("earlier boot");
    }

    [Theory]
    [InlineData(UpgradeStep.Standby, "AwaitStandby")]
    [InlineData(UpgradeStep.Transfer, "Transfer")]
    [InlineData(UpgradeStep.CutOver, "CutOver")]
    [InlineData(UpgradeStep.RollBack, "RollBack")]
    public async Task A_kernel_B_that_took_over_is_found_whatever_the_step_and_the_commit_is_still_possible(UpgradeStep step, string call)
    {
        await _bench.SucceedAsync(UpgradeStep.Boot);
        bool panicked = false;
        _bench.Guest.Before = async (name, cancelled) =>
        {
            if (name == call && !panicked)
            {
                panicked = true;
                await File.WriteAllTextAsync(_bench.Machine.ConsoleLogs[0], "[ 9.0] Kernel panic - not syncing: sysrq triggered crash\r\n", cancelled);
                _bench.Guest.SwitchToB();
                _bench.Guest.Commit();
                _bench.Guest.Status.TookOver = true;
                _bench.Guest.Status.UpgradeId = _bench.UpgradeId.ToString();
                throw FakeGuest.Refusal("WRONG_STEP", "the upgrade has been committed");
            }
        };
        StepFailed failed = (StepFailed)await _bench.RunAsync(_bench.Command(step) with { OnPanic = PanicPolicy.Failover });
        failed.Failure.ShouldBe(UpgradeFailure.TookOver, failed.Reason);
        failed.Reason.ShouldContain("sysrq triggered crash");
        failed.Guest!.KernelRelease.ShouldBe("6.12.0-b");
        _bench.Guest.TakesOverOnPanic.ShouldBe(step == UpgradeStep.Standby);
        (await _bench.SucceedAsync(UpgradeStep.Commit)).Guest!.CpusOnline.ShouldBe(2);
        _bench.Machine.Records.ShouldBe(["committed " + _bench.ImageDigest]);
    }

    [Fact]
    public async Task Another_upgrades_take_over_is_not_this_ones()
    {
        _bench.Guest.SwitchToB();
        _bench.Guest.Status.TookOver = true;
        _bench.Guest.Status.UpgradeId = "another";
        _bench.Guest.Before = (name, _) => name == "Transfer" ? throw FakeGuest.Refusal("DEVICE", "no") : Task.CompletedTask;
        ((StepFailed)await _bench.RunAsync(_bench.Command(UpgradeStep.Transfer) with { OnPanic = PanicPolicy.Failover })).Failure.ShouldBe(UpgradeFailure.TransferRefused);
    }

    [Fact]
    public async Task A_silent_kernel_B_fails_at_the_deadline_with_the_end_of_its_console()
    {
        await _bench.SucceedAsync(UpgradeStep.Boot);
        await File.WriteAllTextAsync(_bench.Machine.ConsoleLogs[1], "Linux version 6.12\nsmpboot: stuck here\n");
        _bench.Guest.Before = (call, cancelled) => call == "AwaitStandby" ? Task.Delay(Timeout.Infinite, cancelled) : Task.CompletedTask;
        StepFailed failed = (StepFailed)await _bench.RunAsync(_bench.Command(UpgradeStep.Standby) with { Deadline = TimeSpan.FromSeconds(1) });
        failed.Failure.ShouldBe(UpgradeFailure.StandbyKernelSilent);
        failed.Reason.ShouldContain("stuck here");
    }

    [Fact]
    public async Task A_service_that_does_not_answer_stops_the_upgrade_before_anything_is_transferred()
    {
        _bench.Guest.Echo.Silent = true;
        (await _bench.FailAsync(UpgradeStep.Transfer)).Failure.ShouldBe(UpgradeFailure.GuestAgentUnreachable);
        _bench.CallsOf("Transfer").ShouldBe(0);
    }

    [Fact]
    public async Task A_cut_over_that_kernel_A_took_back_is_told_by_its_status()
    {
        _bench.Guest.Before = (call, _) =>
        {
            if (call == "CutOver")
            {
                _bench.Guest.Status.Steps.Add(new Contracts.Guest.StepRecord { Step = Contracts.Guest.Step.CutOver, State = Contracts.Guest.StepState.Failed, ErrorReason = "CUT_OVER_RETURNED", ErrorMessage = "B fell silent" });
                throw new IOException("the connection is gone");
            }

            return Task.CompletedTask;
        };
        StepFailed failed = await _bench.FailAsync(UpgradeStep.CutOver);
        failed.Failure.ShouldBe(UpgradeFailure.CutOverReturned, failed.Reason);
        failed.Reason.ShouldContain("B fell silent");
        failed.Outage.ShouldNotBeNull();
    }

    [Fact]
    public async Task Kernel_B_that_falls_silent_does_not_stand_its_probation()
    {
        // Its agent has as long for an answer, and is not to be the first that is late.
        _bench.Options.ProbationSettling = TimeSpan.FromSeconds(30);
        _bench.Guest.SwitchToB();
        _bench.Guest.Before = (call, _) =>
        {
            _bench.Guest.Echo.Silent = call == "GetStatus";
            return Task.CompletedTask;
        };
        StepFailed failed = await _bench.FailAsync(UpgradeStep.Probation);
        failed.Failure.ShouldBe(UpgradeFailure.ProbationFailed);
        failed.Reason.ShouldContain("silent for");
    }

    [Fact]
    public async Task A_hook_behind_the_cut_over_that_fails_after_the_settling_time_still_ends_the_upgrade()
    {
        _bench.Guest.SwitchToB();
        Contracts.Guest.StepRecord cutOver = _bench.Guest.Status.Steps.Single(step => step.Step == Contracts.Guest.Step.CutOver);
        cutOver.State = Contracts.Guest.StepState.Running;
        long began = TimeProvider.System.GetTimestamp();
        _bench.Guest.Before = (call, _) =>
        {
            if (call == "GetStatus" && TimeProvider.System.GetElapsedTime(began) > 2 * _bench.Options.ProbationSettling)
            {
                (cutOver.State, cutOver.ErrorReason, cutOver.ErrorMessage) = (Contracts.Guest.StepState.Failed, "HOOK_FAILED", "Hook 10-refuses ended with 7");
            }

            return Task.CompletedTask;
        };
        StepFailed failed = await _bench.FailAsync(UpgradeStep.Probation);
        failed.Failure.ShouldBe(UpgradeFailure.HookFailed, failed.Reason);
        failed.Timings.Count(timing => timing.Name == "cutover.adopt").ShouldBe(1, "kernel B's own times come when it has them");
    }

    [Fact]
    public async Task A_commit_that_does_not_own_everything_is_incomplete_and_says_what()
    {
        _bench.Guest.SwitchToB();
        _bench.Guest.Before = (call, _) =>
        {
            if (call == "Commit")
            {
                _bench.Guest.Status.HasParent = false;
            }

            return Task.CompletedTask;
        };
        StepFailed failed = await _bench.FailAsync(UpgradeStep.Commit);
        (failed.Failure, failed.Reason).ShouldBe((UpgradeFailure.CommitIncomplete, "Kernel B serves, but 1 of 2 CPUs are online, 512 of 1024 bytes of memory are its own."));
        _bench.Machine.Records.ShouldBe(["committed " + _bench.ImageDigest], "kernel A is gone: the next start must be on B's image");
    }

    [Fact]
    public async Task A_roll_back_ends_the_running_step_and_waits_for_kernel_A_to_be_whole()
    {
        _bench.Guest.Status.CpusOnline = 1;
        _bench.Guest.Before = async (call, cancelled) =>
        {
            if (call == "Reserve")
            {
                await Task.Delay(Timeout.Infinite, cancelled);
            }

            if (call == "GetStatus" && _bench.CallsOf("RollBack") > 0 && _bench.CallsOf("GetStatus") > 3)
            {
                _bench.Guest.Status.CpusOnline = 2;
            }
        };
        await _bench.Runner.AcceptAsync(_bench.Command(UpgradeStep.Reserve), default);
        await Eventually.Async(() => _bench.CallsOf("Reserve") == 1);
        StepCompleted rolledBack = await _bench.SucceedAsync(UpgradeStep.RollBack);
        rolledBack.Guest!.CpusOnline.ShouldBe(2);
        StepFailed reserve = _bench.Results(_bench.Command(UpgradeStep.Reserve)).ShouldHaveSingleItem().ShouldBeOfType<StepFailed>();
        reserve.Reason.ShouldContain("a newer command");
        (await _bench.FailAsync(UpgradeStep.Load)).Reason.ShouldContain("was rolled back");
    }

    [Fact]
    public async Task A_machine_that_ended_fails_the_step_and_the_roll_back_starts_it_again()
    {
        await using FakeGuest next = await FakeGuest.StartAsync();
        _bench.Machine.Next.Enqueue(next);
        await _bench.SucceedAsync(UpgradeStep.Preflight);
        _bench.Guest.Before = (call, cancelled) =>
        {
            if (call == "Reserve")
            {
                _ = _bench.Guest.EndAsync();
                return Task.Delay(Timeout.Infinite, cancelled);
            }

            return Task.CompletedTask;
        };
        (await _bench.FailAsync(UpgradeStep.Reserve)).Failure.ShouldBe(UpgradeFailure.MachineGone);
        (await _bench.SucceedAsync(UpgradeStep.RollBack)).Guest.ShouldNotBeNull();
    }

    [Fact]
    public async Task An_upgrade_does_not_go_on_in_another_run_of_the_machine()
    {
        await using FakeGuest next = await FakeGuest.StartAsync();
        _bench.Machine.Next.Enqueue(next);
        await _bench.SucceedAsync(UpgradeStep.Preflight);
        await _bench.Guest.EndAsync();
        await _bench.Machine.WaitRunningAsync(default);
        StepFailed failed = await _bench.FailAsync(UpgradeStep.Reserve);
        failed.Failure.ShouldBe(UpgradeFailure.MachineGone);
        failed.Reason.ShouldContain("was started again");
    }

    [Fact]
    public async Task A_guest_that_does_not_answer_is_told_so()
    {
        await _bench.SucceedAsync(UpgradeStep.Preflight);
        _bench.Guest.Before = (_, cancelled) => Task.Delay(Timeout.Infinite, cancelled);
        StepFailed failed = (StepFailed)await _bench.RunAsync(_bench.Command(UpgradeStep.Reserve) with { Deadline = TimeSpan.FromSeconds(1) });
        (failed.Failure, failed.Guest).ShouldBe((UpgradeFailure.GuestAgentUnreachable, null));
    }
}
