using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Services;

/// <summary>Who has what, in each kernel of an upgrade.</summary>
public sealed class InspectionTests
{
    [Fact]
    public async Task Kernel_A_shows_what_its_instance_has()
    {
        using Scenario scenario = new(cpus: 4);
        scenario.Guest.Put($"/sys/devices/pci0000:00/{FakeGuest.Function}/class", "0x020000\n");
        ulong before = Bytes(scenario.Inspection.Read(), "this kernel");
        await scenario.UpTo(Wire.Step.Standby);
        scenario.Guest.Put($"/sys/kernel/twinkernel/instances/{scenario.Device.Instances()[0].Id}/image_id", "sha256:abc\n");
        scenario.Guest.Put($"/sys/kernel/twinkernel/instances/{scenario.Device.Instances()[0].Id}/functions", "0000:01:00.0\n");
        scenario.Guest.Put("/sys/bus/pci/devices/0000:01:00.0/class", "0x020000\n");
        scenario.Guest.Put("/sys/kernel/twinkernel/links/2/interface", "twin0\n");
        scenario.Guest.Put("/sys/kernel/twinkernel/links/2/carrier", "1\n");
        scenario.Guest.Put("/sys/kernel/twinkernel/links/2/start", "0x20000000\n");
        scenario.Guest.Put("/sys/kernel/twinkernel/links/2/rx_packets", "7\n");

        Wire.Inspection inspection = scenario.Inspection.Read();

        Wire.Instance instance = inspection.Status.Instances.ShouldHaveSingleItem();
        instance.ImageId.ShouldBe("sha256:abc");
        ClaimedSlot slot = scenario.Device.Slots()[0];
        instance.Slot.ShouldBe(slot.Id);
        inspection.Slots.ShouldHaveSingleItem().Start.ShouldBe(slot.Start);
        inspection.Cpus.Select(cpu => cpu.Owner).ShouldBe(["this kernel", .. inspection.Cpus.Skip(1).Select(cpu => instance.Cpus.Contains(cpu.Number) ? $"instance {instance.Id}" : "this kernel")]);
        inspection.Cpus.Count(cpu => cpu.Owner != "this kernel").ShouldBe(1);
        inspection.Cpus.Count(cpu => cpu.MachineBoot).ShouldBe(1);
        Bytes(inspection, $"slot {slot.Id}").ShouldBe(slot.Bytes, "the model of the module names no instance in the slot");
        (Bytes(inspection, "this kernel") + slot.Bytes).ShouldBe(before);
        inspection.Functions.Select(function => function.Owner).ShouldBe(["this kernel", $"instance {instance.Id}"]);
        Wire.Inspection.Types.Link link = inspection.Links.ShouldHaveSingleItem();
        (link.Instance, link.NetworkInterface, link.Carrier).ShouldBe((2u, "twin0", true));
        link.Counters.ShouldHaveSingleItem().ShouldBe(new KeyValuePair<string, ulong>("rx_packets", 7));
        Wire.Inspection.Types.Function card = inspection.Functions[0];
        (card.Address, card.Class, card.Driver, card.NetworkInterface, card.Owner).ShouldBe((FakeGuest.Function, "0x020000", "virtio-pci", "eth0", "this kernel"));
    }

    [Fact]
    public async Task Memory_that_went_before_the_park_is_the_instances()
    {
        using Scenario scenario = new();
        scenario.Guest.Put("/proc/cmdline", "console=ttyS0,115200 twinkernel.transfer_memory=spare\n");
        ulong before = Bytes(scenario.Inspection.Read(), "this kernel");
        await scenario.UpTo(Wire.Step.Transfer);
        ulong given = ulong.Parse(scenario.Journal.Current!.Find(Wire.Step.Transfer)!.Facts["memory.given"]);
        given.ShouldBeGreaterThan(0ul);

        Wire.Inspection inspection = scenario.Inspection.Read();
        ulong instances = Bytes(inspection, $"instance {scenario.Device.Instances()[0].Id}");
        instances.ShouldBeInRange(given - FakeGuest.MiB, given, "the machine's last block is not all memory");
        Bytes(inspection, "this kernel").ShouldBe(before - instances - scenario.Device.Slots()[0].Bytes);
        await scenario.RollBack();
        Bytes(scenario.Inspection.Read(), "this kernel").ShouldBe(before);
    }

    [Fact]
    public void Memory_is_cut_at_slots_and_joined_where_the_owner_is_one()
    {
        using Scenario scenario = new();
        scenario.Device.HasParent = true;
        scenario.Device.Ranges.Clear();
        scenario.Device.Ranges.AddRange(
        [
            new MachineRange(0x1000, 0x9e000, Owned: true, Reserved: false),
            new MachineRange(0x10_0000, 0x10_0000, Owned: true, Reserved: false),
            new MachineRange(0x20_0000, 0x10_0000, Owned: true, Reserved: false),
            new MachineRange(0x30_0000, 0x10_0000, Owned: false, Reserved: true),
            new MachineRange(0x40_0000, 0x10_0000, Owned: false, Reserved: false),
        ]);
        ClaimedSlot[] slots = [new(3, 0x18_0000, 0x10_0000, 0, 0, false, 7), new(4, 0x28_0000, 0x4_0000, 0, 0, false, 0)];

        InspectionReader.Memory(scenario.Device.Query(), [.. slots.Select(InspectionReader.Of)]).Select(piece => (piece.Start, piece.Bytes, piece.Owner)).ShouldBe(
        [
            (0x1000ul, 0x9e000ul, "this kernel"),
            (0x10_0000ul, 0x8_0000ul, "this kernel"),
            (0x18_0000ul, 0x10_0000ul, "instance 7"),
            (0x28_0000ul, 0x4_0000ul, "slot 4"),
            (0x2c_0000ul, 0x4_0000ul, "this kernel"),
            (0x30_0000ul, 0x10_0000ul, "held back"),
            (0x40_0000ul, 0x10_0000ul, "parent"),
        ]);
    }

    [Fact]
    public void Without_the_module_it_says_so_and_shows_the_rest()
    {
        using Scenario scenario = new();
        MissingDevice missing = new(new DeviceException("open", Errno.ENOENT, "/dev/twinkernel"));
        StatusReader status = new(missing, scenario.Journal, scenario.Guest, scenario.Network, scenario.Standby, new KernelIdentity(scenario.Guest));

        Wire.Inspection inspection = new InspectionReader(missing, scenario.Journal, scenario.Guest, scenario.Network, status).Read();

        inspection.ModuleError.ShouldContain("ENOENT");
        inspection.Cpus.ShouldBeEmpty();
        inspection.Status.CpusPresent.ShouldBe(2u);
        inspection.Functions.ShouldHaveSingleItem();
    }

    private static ulong Bytes(Wire.Inspection inspection, string owner) =>
        inspection.Memory.Where(piece => piece.Owner == owner).Aggregate(0ul, (sum, piece) => sum + piece.Bytes);
}
