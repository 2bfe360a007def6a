using System.Text;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Handover;

/// <summary>A guest with two nodes: CPUs 0 and 1 and blocks 0 to 7 on node 0, CPUs 2 and 3 and blocks 8 to 15 on node 1.</summary>
public sealed class NumaTests : IDisposable
{
    private readonly Scenario _scenario = new(cpus: 4);

    public NumaTests()
    {
        _scenario.Guest.SplitIntoNodes(4, 16);
        _scenario.Device.Ranges.Clear();
        _scenario.Device.Ranges.AddRange(
        [
            new MachineRange(0x1000, 0x9e000, Owned: true, Reserved: false),
            new MachineRange(0x10_0000, (8 * FakeGuest.BlockBytes) - 0x10_0000, Owned: true, Reserved: false),
            new MachineRange(8 * FakeGuest.BlockBytes, (8 * FakeGuest.BlockBytes) - 0x24000, Owned: true, Reserved: false, Node: 1),
        ]);
    }

    [Fact]
    public async Task Slot_and_cpu_come_from_one_node()
    {
        await _scenario.UpTo(Wire.Step.Reserve);
        _scenario.Guest.IsCpuOnline(3).ShouldBeFalse();
        _scenario.Guest.OfflineBlocks().ShouldBe([8u, 9u, 10u]);
    }

    [Fact]
    public async Task A_cpu_is_taken_from_the_node_that_has_memory_for_a_slot()
    {
        for (int block = 8; block < 16; block++)
        {
            _scenario.Guest.Put($"/sys/devices/system/memory/memory{block}/removable", "0\n");
        }

        await _scenario.UpTo(Wire.Step.Reserve);
        _scenario.Guest.IsCpuOnline(1).ShouldBeFalse();
        _scenario.Guest.OfflineBlocks().ShouldBe([1u, 2u, 3u]);
    }

    [Fact]
    public async Task Memory_of_another_node_is_better_than_none()
    {
        for (int block = 8; block < 16; block++)
        {
            _scenario.Guest.Refusals[$"/sys/devices/system/memory/memory{block}/state"] = "offline";
        }

        await _scenario.UpTo(Wire.Step.Reserve);
        _scenario.Guest.OfflineBlocks().ShouldBe([1u, 2u, 3u]);
    }

    [Fact]
    public async Task The_twin_is_told_of_the_nodes()
    {
        await _scenario.UpTo(Wire.Step.Load);
        _scenario.Device.Written.ShouldContain(write => Encoding.Latin1.GetString(write.Bytes).Contains("SRAT", StringComparison.Ordinal));
    }

    public void Dispose() => _scenario.Dispose();
}
