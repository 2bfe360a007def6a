using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Handover;

/// <summary>Kernel B in a slot of three blocks from 128 MiB on, with the rest of 2 GiB to take.</summary>
public sealed class CommitTests
{
    private const ulong Block = FakeGuest.BlockBytes;
    private const ulong SlotEnd = 4 * Block;

    private static async Task<Scenario> KernelB()
    {
        Scenario scenario = new(cpus: 2, blocks: 4);
        scenario.Guest.Put("/sys/devices/system/cpu/cpu1/online", "0\n");
        scenario.Device.HasParent = scenario.Device.ParentParked = scenario.Device.TwinBooted = true;
        scenario.Device.Control = SlotEnd - 0x10000;
        scenario.Device.Ranges.Clear();
        scenario.Device.Ranges.AddRange(
        [
            new MachineRange(0x1000, 0x9e000, Owned: false, Reserved: false),
            new MachineRange(0x10_0000, Block - 0x10_0000, Owned: false, Reserved: true),
            new MachineRange(Block, (3 * Block) - 0x10_0000, Owned: true, Reserved: false),
            new MachineRange(SlotEnd - 0x10_0000, (11 * Block) + 0x10_0000, Owned: false, Reserved: false),
            new MachineRange(15 * Block, Block - 0x24000, Owned: false, Reserved: true),
        ]);
        scenario.Journal.Open("u1", 1);
        await scenario.Run(Wire.Step.Preflight, _ => { });
        scenario.Journal.Record(new() { Step = Wire.Step.CutOver, State = Wire.StepState.Succeeded });
        return scenario;
    }

    [Fact]
    public async Task Takes_all_cpus_and_all_memory_but_the_tables_and_reports_it()
    {
        using Scenario scenario = await KernelB();
        StepOutcome outcome = await scenario.Commit();

        scenario.Device.Query().Cpus.ShouldAllBe(cpu => cpu.Online);
        scenario.Device.Ranges.Where(range => !range.Owned && range.End > 0x10_0000).ShouldHaveSingleItem().ShouldBe(new MachineRange(SlotEnd - 0x10_0000, 0x10_0000, false, false));
        scenario.Guest.OfflineBlocks().ShouldBeEmpty();
        Wire.Status status = scenario.Status.Read();
        (status.MachineMemoryBytes - status.MachineMemoryOwnedBytes).ShouldBe(0x10_0000ul);
        outcome.Entry.Facts["cpus"].ShouldBe("2");
        outcome.Entry.Facts["memory.owned"].ShouldBe($"{status.MachineMemoryOwnedBytes}");
        (await scenario.Commit()).AlreadyDone.ShouldBeTrue();
    }

    [Fact]
    public async Task Leaves_room_for_the_next_upgrade_in_movable_memory()
    {
        using Scenario scenario = await KernelB();
        List<string> how = [];
        scenario.Guest.OnWrite += (path, value) => how.Add($"{path.Split('/')[^2]} {value}");
        await scenario.Commit();
        how.Where(write => write.EndsWith(" online_movable")).ShouldBe(["memory4 online_movable", "memory5 online_movable", "memory6 online_movable"]);
        how.Count(write => write.EndsWith(" online_kernel")).ShouldBe(8);
    }

    [Fact]
    public async Task What_fails_is_told_and_taken_by_the_next_call()
    {
        using Scenario scenario = await KernelB();
        scenario.Device.Failures.Enqueue(("ADOPT_MEMORY", Errno.ENOMEM));
        StepFailure failure = await Should.ThrowAsync<StepFailure>(scenario.Commit());
        failure.Message.ShouldContain("ENOMEM");
        failure.Message.ShouldContain("0x100000+0x7f00000 is not owned");
        (await scenario.Commit()).AlreadyDone.ShouldBeFalse();
        scenario.Status.Read().Steps.Last().State.ShouldBe(Wire.StepState.Succeeded);
    }

    [Fact]
    public async Task Nothing_is_undone_after_it()
    {
        using Scenario scenario = await KernelB();
        await scenario.Commit();
        (await Should.ThrowAsync<StepFailure>(scenario.RollBack())).Reason.ShouldBe("WRONG_STEP");
        scenario.Device.Calls.ShouldNotContain("RETURN");
        scenario.Restart();
        // The kernel counts what it took over.
        scenario.Guest.Put("/proc/meminfo", "MemTotal: 2000000 kB\nMemFree: 1 kB\nMemAvailable: 1700000 kB\n");
        await scenario.Preflight("u2");
    }
}
