using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Handover;

/// <summary>Whatever fails: the caller learns why, and the guest gets everything back, by itself or by the roll-back.</summary>
public sealed class FailureTests
{
    [Theory]
    [InlineData("CLAIM_SLOT", Errno.EBUSY)]
    [InlineData("CLAIM_SLOT", Errno.ENOSPC)]
    [InlineData("QUERY", Errno.EIO)]
    public async Task A_reserve_that_the_module_refuses_gives_everything_back(string request, Errno errno)
    {
        using Scenario scenario = new();
        await scenario.Preflight();
        scenario.Device.Failures.Enqueue((request, errno));
        StepFailure failure = await Should.ThrowAsync<StepFailure>(scenario.Reserve());
        failure.Reason.ShouldBe("DEVICE");
        failure.Message.ShouldContain(errno.ToString());
        failure.Timings.ShouldNotBeEmpty();
        scenario.ShouldBeWhole();
        await scenario.Reserve();
    }

    [Fact]
    public async Task A_block_that_does_not_go_offline_moves_the_slot_elsewhere_and_its_neighbours_come_back()
    {
        using Scenario scenario = new();
        await scenario.Preflight();
        scenario.Guest.Refusals["/sys/devices/system/memory/memory3/state"] = "offline";
        await scenario.Reserve();
        scenario.Guest.OfflineBlocks().ShouldBe([4u, 5u, 6u]);
    }

    [Fact]
    public async Task Without_any_place_for_the_slot_all_memory_and_cpus_come_back()
    {
        using Scenario scenario = new();
        await scenario.Preflight();
        for (uint block = 2; block < 16; block += 3)
        {
            scenario.Guest.Refusals[$"/sys/devices/system/memory/memory{block}/state"] = "offline";
        }

        StepFailure failure = await Should.ThrowAsync<StepFailure>(scenario.Reserve());
        failure.Reason.ShouldBe("NOT_ENOUGH_MEMORY");
        failure.Message.ShouldContain("memory2");
        scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task A_range_reserved_at_boot_is_the_way_out()
    {
        using Scenario scenario = new();
        await scenario.Preflight();
        scenario.Guest.Put("/sys/module/twinkernel/parameters/reserved", "64M@0x80000000,384M@0x60000000\n");
        for (uint block = 1; block < 16; block++)
        {
            scenario.Guest.Refusals[$"/sys/devices/system/memory/memory{block}/state"] = "offline";
        }

        await scenario.Reserve();
        scenario.Device.Slots()[0].Start.ShouldBe(0x6000_0000ul);
        scenario.Guest.OfflineBlocks().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_cpu_that_does_not_go_offline_is_told()
    {
        using Scenario scenario = new();
        await scenario.Preflight();
        scenario.Guest.Refusals["/sys/devices/system/cpu/cpu1/online"] = "0";
        (await Should.ThrowAsync<StepFailure>(scenario.Reserve())).Reason.ShouldBe("CPU_OFFLINE_FAILED");
        scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task One_cpu_is_not_enough()
    {
        using Scenario scenario = new(cpus: 1);
        PreflightCheck cpus = scenario.Steps.Preflight.Run(new PreflightQuestion("u1", 0, 0, 0)).Single(check => check.Name == "cpus");
        cpus.Passed.ShouldBeFalse();
        cpus.Message.ShouldContain("reboot");
        await scenario.Run(Wire.Step.Preflight, _ => { });
        (await Should.ThrowAsync<StepFailure>(scenario.Reserve())).Reason.ShouldBe("NOT_ENOUGH_CPUS");
        scenario.ShouldBeWhole();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_image_with_another_digest_is_refused_before_the_slot_is_written(bool kernel)
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Reserve);
        Wire.LoadHeader header = scenario.Image.Header();
        (kernel ? header.Kernel : header.Initrd).Sha256 = new string('0', 64);
        StepFailure failure = await Should.ThrowAsync<StepFailure>(scenario.Load(header));
        failure.Reason.ShouldBe("DIGEST_MISMATCH");
        failure.Code.ShouldBe(StatusCode.InvalidArgument);
        failure.Message.ShouldContain(kernel ? "kernel" : "initrd");
        scenario.Device.Written.ShouldBeEmpty();
        await scenario.Load();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task An_image_of_another_size_is_refused(int difference)
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Reserve);
        Wire.LoadHeader header = scenario.Image.Header();
        header.Initrd.Bytes = (ulong)((long)header.Initrd.Bytes + difference);
        (await Should.ThrowAsync<StepFailure>(scenario.Load(header))).Reason.ShouldBe("DIGEST_MISMATCH");
        scenario.Device.Written.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_incomplete_header_is_refused_with_all_its_faults()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Reserve);
        StepFailure failure = await Should.ThrowAsync<StepFailure>(scenario.Load(new Wire.LoadHeader { UpgradeId = "u1", Epoch = 1, Kernel = new() { Bytes = 1, Sha256 = "X" } }));
        failure.Reason.ShouldBe("IMAGE_INVALID");
        failure.Message.ShouldContain("kernel.sha256");
        failure.Message.ShouldContain("initrd");
        failure.Message.ShouldContain("image_digest");
    }

    [Fact]
    public async Task An_image_that_cannot_be_booted_is_refused_before_the_slot_is_written()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Reserve);
        scenario.Image.Kernel[0x206] = 0x0a;
        StepFailure failure = await Should.ThrowAsync<StepFailure>(scenario.Load());
        failure.Reason.ShouldBe("IMAGE_INVALID");
        failure.Message.ShouldContain("version");
        scenario.Device.Written.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_launch_that_times_out_may_be_tried_again_or_rolled_back()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Load);
        scenario.Device.Failures.Enqueue(("LAUNCH", Errno.ETIMEDOUT));
        (await Should.ThrowAsync<StepFailure>(scenario.Start())).Reason.ShouldBe("LAUNCH_TIMED_OUT");
        await scenario.Start();
        await scenario.RollBack();
        scenario.ShouldBeWhole();
    }

    [Theory]
    [InlineData(InstanceState.Launched, "STANDBY_SILENT", StatusCode.DeadlineExceeded)]
    [InlineData(InstanceState.Panicked, "STANDBY_PANICKED", StatusCode.FailedPrecondition)]
    public async Task A_twin_that_does_not_come_up_is_told(InstanceState state, string reason, StatusCode code)
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Start);
        scenario.Device.StateOfInstance = _ => state;
        StepFailure failure = await Should.ThrowAsync<StepFailure>(scenario.AwaitStandby(milliseconds: 50));
        (failure.Reason, failure.Code).ShouldBe((reason, code));
        await scenario.RollBack();
        scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task A_twin_is_awaited_through_its_states()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Start);
        int first = -1;
        scenario.Device.StateOfInstance = look => (look - (first < 0 ? first = look : first)) switch { < 3 => InstanceState.Launched, < 6 => InstanceState.Alive, _ => InstanceState.Ready };
        StepOutcome outcome = await scenario.AwaitStandby();
        outcome.Entry.Timings.Select(timing => timing.Name).ShouldBe(["standby", "standby.until.alive", "standby.until.ready"]);
    }

    [Fact]
    public async Task A_twin_that_refuses_a_cpu_fails_the_transfer_and_the_roll_back_undoes_it()
    {
        using Scenario scenario = new(cpus: 4);
        await scenario.UpTo(Wire.Step.Standby);
        scenario.Device.Peer = question => new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Refused, Error = "no such CPU" };
        (await Should.ThrowAsync<StepFailure>(scenario.Transfer())).Message.ShouldContain("no such CPU");
        await scenario.RollBack();
        scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task A_twin_that_does_not_answer_the_handover_leaves_this_kernel_serving()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Transfer);
        scenario.Device.Peer = _ => null;
        (await Should.ThrowAsync<StepFailure>(scenario.CutOver())).Reason.ShouldBe("STANDBY_SILENT");
        scenario.Device.Calls.ShouldNotContain(call => call.StartsWith("PARK"));
    }

    [Fact]
    public async Task Answers_to_questions_of_an_earlier_agent_are_passed_over()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Transfer);
        scenario.Device.Peer = _ => new LinkMessage { Sequence = 1, Kind = LinkMessage.Refused, Error = "old" };
        (await Should.ThrowAsync<StepFailure>(scenario.CutOver())).Reason.ShouldBe("STANDBY_SILENT");
    }

    [Fact]
    public async Task A_roll_back_that_cannot_give_all_back_says_so_and_can_be_repeated()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Load);
        scenario.Guest.Refusals["/sys/devices/system/memory/memory2/state"] = "online";
        (await Should.ThrowAsync<StepFailure>(scenario.RollBack())).Message.ShouldContain("memory2");
        scenario.Guest.OfflineBlocks().ShouldBe([2u]);
        scenario.Guest.IsCpuOnline(1).ShouldBeTrue();
        scenario.Guest.Refusals.Clear();
        await scenario.RollBack();
        scenario.ShouldBeWhole();
    }
}
