using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Handover;

public sealed class HappyPathTests
{
    [Fact]
    public async Task Reserve_takes_a_cpu_and_contiguous_blocks_and_claims_them()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Reserve);

        scenario.Guest.IsCpuOnline(1).ShouldBeFalse();
        uint[] offline = scenario.Guest.OfflineBlocks();
        offline.ShouldBe([1u, 2u, 3u]);
        scenario.Device.Slots().ShouldHaveSingleItem().Start.ShouldBe(FakeGuest.BlockBytes);
        scenario.Device.Slots()[0].Bytes.ShouldBe(3 * FakeGuest.BlockBytes);
        Wire.StepRecord record = scenario.Status.Read().Steps.Last();
        record.State.ShouldBe(Wire.StepState.Succeeded);
        record.Timings.Select(timing => timing.Name).ShouldContain("reserve.memory.offline");
        record.Timings.ShouldAllBe(timing => timing.Clock == "guest:11111111-2222-3333-4444-555555555555");
    }

    [Fact]
    public async Task Load_writes_the_plan_into_the_slot_and_nowhere_else()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Reserve);
        StepOutcome outcome = await scenario.Load();

        ClaimedSlot slot = scenario.Device.Slots()[0];
        scenario.Device.Written.ShouldNotBeEmpty();
        scenario.Device.Written.ShouldAllBe(write => write.Address >= slot.Start && write.Address + (ulong)write.Bytes.Length <= slot.Start + slot.Bytes);
        scenario.Device.Written.ShouldContain(write => write.Bytes.SequenceEqual(scenario.Image.Initrd));
        outcome.Entry.Facts["kernel_release"].ShouldBe("6.12.0-test");
        outcome.Entry.Facts["command_line"].ShouldContain("console=ttyS1,115200");
        outcome.Entry.Facts["command_line"].ShouldContain("twinkernel.control=0x");
    }

    [Fact]
    public async Task A_kernel_on_the_second_console_starts_its_twin_on_the_first()
    {
        using Scenario scenario = new();
        scenario.Guest.Put("/proc/cmdline", "quiet console=ttyS1,115200\n");
        await scenario.UpTo(Wire.Step.Reserve);
        (await scenario.Load()).Entry.Facts["command_line"].ShouldContain("console=ttyS0,115200");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Kernel_B_is_told_what_to_take_before_this_kernel_is_armed_and_only_when_that_is_wanted(bool wanted)
    {
        using Scenario scenario = new();
        scenario.TakeOverOnPanic = wanted;
        await scenario.UpTo(Wire.Step.Standby);

        scenario.Device.Calls.Where(call => call.StartsWith("ARM", StringComparison.Ordinal)).ShouldBe(wanted ? [$"ARM {FakeGuest.Function}"] : []);
        scenario.Device.Asked.Count.ShouldBe(wanted ? 1 : 0);
        if (wanted)
        {
            HandoverOrder order = scenario.Device.Asked[0].Order!;
            (order.Failover, order.Mac, order.Network, order.Token, order.UpgradeId).ShouldBe((true, FakeGuest.Mac, "10.0.2.15/24,10.0.2.2", "secret", "u1"));
            scenario.Device.Calls.IndexOf("SEND").ShouldBeLessThan(scenario.Device.Calls.IndexOf($"ARM {FakeGuest.Function}"));
        }
    }

    [Fact]
    public async Task Kernel_B_that_refuses_what_it_is_told_leaves_this_kernel_unarmed()
    {
        using Scenario scenario = new();
        scenario.Device.Peer = question => new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Refused, Error = "no" };
        await scenario.UpTo(Wire.Step.Start);
        (await Should.ThrowAsync<StepFailure>(() => scenario.AwaitStandby(takeOverOnPanic: true))).Message.ShouldContain("refused 'handover'");
        scenario.Device.Calls.ShouldNotContain(call => call.StartsWith("ARM", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Transfer_gives_every_cpu_but_the_machines_boot_cpu_and_asks_the_twin_to_bring_it_up()
    {
        using Scenario scenario = new(cpus: 4);
        await scenario.UpTo(Wire.Step.Transfer);

        scenario.Device.Query().Cpus.Where(cpu => cpu.Online).ShouldHaveSingleItem().MachineBoot.ShouldBeTrue();
        // The CPU that the twin was started on is asked for first: to the twin that is a no-op, to an agent that was killed a repair.
        scenario.Device.Asked.Where(message => message.Kind == LinkMessage.OnlineCpu).Select(message => message.ApicId).ShouldBe([3u, 2u, 1u]);
    }

    [Fact]
    public async Task Cut_over_hands_over_all_that_the_twin_needs_and_parks_with_the_network_function()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Transfer);
        StepOutcome outcome = await scenario.CutOver(patience: 500);

        HandoverOrder order = scenario.Device.Asked.Single(message => message.Kind == LinkMessage.Handover).Order!;
        (order.UpgradeId, order.Epoch, order.Token, order.Mac, order.Network).ShouldBe(("u1", 1ul, "secret", FakeGuest.Mac, "10.0.2.15/24,10.0.2.2"));
        order.Functions.ShouldBe([new PciFunction(0, 2 << 3)]);
        outcome.Entry.State.ShouldBe(Wire.StepState.Running);
        scenario.Device.Calls.ShouldContain("PARK 0000:00:02.0 500");
    }

    [Theory]
    [InlineData("stateless", "", false)]
    [InlineData("replicated-redis", """, "port": 1, "probation": "journal", "preserve": {"bytes": 4096}""", true)]
    [InlineData("in-place", """, "preserve": {"bytes": 4096}""", true)]
    public async Task Kernel_B_is_told_whether_clients_wait_for_the_card(string handover, string rest, bool awaited)
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Transfer);
        scenario.Guest.Put("/etc/twinkernel/services.d/it.json", $$"""{"name": "it", "start": ["/bin/sleep", "100"], "probe": {"command": ["/bin/true"]}, "handover": "{{handover}}"{{rest}}}""");
        await scenario.CutOver();

        HandoverOrder order = scenario.Device.Asked.Single(message => message.Kind == LinkMessage.Handover).Order!;
        order.AreAwaited.ShouldBe(awaited);
    }

    [Fact]
    public async Task A_park_that_returns_brings_everything_back()
    {
        using Scenario scenario = new(cpus: 3);
        await scenario.UpTo(Wire.Step.Transfer);
        await scenario.CutOver();

        scenario.ShouldBeWhole();
        scenario.Guest.Writes.ShouldContain($"/sys/bus/pci/drivers/virtio-pci/unbind={FakeGuest.Function}");
        scenario.Guest.Writes.ShouldContain($"/sys/bus/pci/drivers/virtio-pci/bind={FakeGuest.Function}");
        scenario.Stack.Configured.Last().ShouldBe("eth0 10.0.2.15/24,10.0.2.2");
        Wire.Status status = scenario.Status.Read();
        Wire.StepRecord cutOver = status.Steps.Single(step => step.Step == Wire.Step.CutOver);
        cutOver.State.ShouldBe(Wire.StepState.Failed);
        cutOver.ErrorReason.ShouldBe("CUT_OVER_RETURNED");
        cutOver.ErrorMessage.ShouldContain("silent");
        status.Steps.Single(step => step.Step == Wire.Step.RollBack).State.ShouldBe(Wire.StepState.Succeeded);

        (await Should.ThrowAsync<StepFailure>(scenario.CutOver())).Reason.ShouldBe("CUT_OVER_RETURNED");
        (await scenario.RollBack()).AlreadyDone.ShouldBeTrue();
        await scenario.Preflight("u2");
        await scenario.Reserve(upgradeId: "u2");
    }

    [Fact]
    public async Task A_park_that_is_refused_leaves_the_upgrade_to_be_rolled_back()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Transfer);
        scenario.Device.Failures.Enqueue(("PARK", Errno.EAGAIN));
        await scenario.CutOver();

        scenario.Journal.Current!.Find(Wire.Step.CutOver)!.Reason.ShouldBe("DEVICE");
        scenario.Device.Instances().ShouldNotBeEmpty();
        await scenario.RollBack();
        scenario.ShouldBeWhole();
    }
}
