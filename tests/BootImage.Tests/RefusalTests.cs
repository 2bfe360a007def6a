using static TwinKernel.Fleet.BootImage.Tests.SampleRequest;

namespace TwinKernel.Fleet.BootImage.Tests;

public sealed class RefusalTests
{
    public static TheoryData<string, string> Cases => new()
    {
        { "slot unaligned", "Slot" },
        { "slot empty", "Slot" },
        { "slot wraps", "Slot" },
        { "slot beyond memory", "Slot" },
        { "slot in the first MiB", "Slot" },
        { "slot too small for the kernel", "init_size" },
        { "slot smaller than its own top", "init_size" },
        { "slot too small for the initrd", "Initrd" },
        { "slot above 4 GiB, kernel not", "xloadflags" },
        { "low window at 0", "LowWindow" },
        { "low window above 640 KiB", "LowWindow" },
        { "low window too small", "LowWindow" },
        { "held back unaligned", "HeldBack" },
        { "held back wraps", "HeldBack" },
        { "held back in slot", "HeldBack" },
        { "held back in low window", "HeldBack" },
        { "held back twice", "HeldBack" },
        { "held back too many", "HeldBack" },
        { "held back by an old kernel", "version" },
        { "no cpus", "ApicIds" },
        { "cpu twice", "ApicIds" },
        { "cpu broadcast", "ApicIds" },
        { "boot cpu unknown", "BootApicId" },
        { "no tsc", "TscKhz" },
        { "ecam empty", "Ecam" },
        { "ecam unaligned", "Ecam" },
        { "nodes without a cpu", "Nodes" },
        { "nodes too high", "Nodes" },
        { "nodes without the slot", "Nodes" },
        { "nodes twice", "Nodes" },
        { "nodes unaligned", "Nodes" },
        { "command line too long", "CommandLine" },
        { "command line not ascii", "CommandLine" },
        { "console with a blank", "Console" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Should_refuse(string what, string field)
    {
        var r = Valid();
        var request = what switch
        {
            "slot unaligned" => r with { Slot = new(r.Slot.Start + 4096, r.Slot.Size) },
            "slot empty" => r with { Slot = new(r.Slot.Start, 0) },
            "slot wraps" => r with { Slot = new(ulong.MaxValue - (2 * MiB) + 1, 384 * MiB) },
            "slot beyond memory" => r with { Slot = new(1UL << 46, 384 * MiB) },
            "slot in the first MiB" => r with { Slot = new(0, 384 * MiB) },
            "slot too small for the kernel" => r with { Slot = new(r.Slot.Start, 32 * MiB) },
            "slot smaller than its own top" => r with { Slot = new(r.Slot.Start, 2 * MiB) },
            "slot too small for the initrd" => r with { Slot = new(r.Slot.Start, 36 * MiB), Initrd = new byte[2 * (int)MiB] },
            "slot above 4 GiB, kernel not" => Valid(new SampleImage { XLoadFlags = 1 }) with { Slot = new(1UL << 32, 384 * MiB) },
            "low window at 0" => r with { LowWindow = new(0, 0x10000) },
            "low window above 640 KiB" => r with { LowWindow = new(0x90000, 0x20000) },
            "low window too small" => r with { LowWindow = new(0x10000, 0x1000) },
            "held back unaligned" => r with { HeldBack = [new(MiB + 1, MiB)] },
            "held back wraps" => r with { HeldBack = [new(ulong.MaxValue - 4095, 8192)] },
            "held back in slot" => r with { HeldBack = [new(r.Slot.End - 4096, MiB)] },
            "held back in low window" => r with { HeldBack = [new(0x20000, 0x1000)] },
            "held back twice" => r with { HeldBack = [new(2 * MiB, MiB), new(MiB, (2 * MiB))] },
            "held back too many" => r with { HeldBack = [.. Enumerable.Range(0, 125).Select(i => new PhysicalRange((ulong)(i + 1) * MiB, 4096))] },
            "held back by an old kernel" => Valid(new SampleImage { Protocol = 0x20e }),
            "no cpus" => r with { ApicIds = [] },
            "cpu twice" => r with { ApicIds = [1, 2, 1] },
            "cpu broadcast" => r with { ApicIds = [1, 0xffff_ffff] },
            "boot cpu unknown" => r with { BootApicId = 4 },
            "no tsc" => r with { TscKhz = 0 },
            "ecam empty" => r with { Ecam = new Ecam(0xb000_0000, 2, 1) },
            "nodes without a cpu" => r with { Nodes = TwoNodes(0, 1, 2) },
            "nodes too high" => r with { Nodes = TwoNodes(0, 1, 2, 3) with { Cpus = new Dictionary<uint, uint> { [0] = 0, [1] = 0, [2] = 0, [3] = 1024 } } },
            "nodes without the slot" => r with { Slot = new(0x8000_0000, 384 * MiB), Nodes = TwoNodes(0, 1, 2, 3) },
            "nodes twice" => r with { Nodes = Also(new(0, new(0x1000_0000, MiB))) },
            "nodes unaligned" => r with { Nodes = Also(new(0, new(0x8000_0800, MiB))) },
            "ecam unaligned" => r with { Ecam = new Ecam(0xb000_0001, 0, 1) },
            "command line too long" => r with { CommandLine = new string('x', 2000) },
            "command line not ascii" => r with { CommandLine = "a\nb" },
            "console with a blank" => r with { Console = "ttyS1 init=/bin/sh" },
            _ => throw new ArgumentOutOfRangeException(nameof(what), what, "unknown case"),
        };

        var error = Should.Throw<BootImageException>(() => BootPlanner.Plan(request));
        error.Violations.ShouldContain(v => v.Field == field, error.Message);
    }

    [Fact]
    public void Should_boot_an_older_protocol_when_nothing_is_held_back() =>
        BootPlanner.Plan(Valid(new SampleImage { Protocol = 0x20e }) with { HeldBack = [] }).Entry.ShouldBeGreaterThan(0ul);

    [Fact]
    public void Should_tell_all_that_is_wrong_at_once()
    {
        var request = Valid() with { TscKhz = 0, ApicIds = [], LowWindow = default, CommandLine = "maxcpus=4 mem=1G" };
        var error = Should.Throw<BootImageException>(() => BootPlanner.Plan(request));
        error.Violations.Select(v => v.Field).ShouldBe(["LowWindow", "ApicIds", "BootApicId", "TscKhz", "CommandLine", "CommandLine"]);
        error.Message.ShouldContain("maxcpus=4");
        error.Message.ShouldContain("mem=1G");
    }

    private static NumaNodes Also(NodeMemory piece)
    {
        var nodes = TwoNodes(0, 1, 2, 3);
        return nodes with { Memory = [.. nodes.Memory, piece] };
    }
}
