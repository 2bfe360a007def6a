using static TwinKernel.Fleet.BootImage.Tests.SampleRequest;

namespace TwinKernel.Fleet.BootImage.Tests;

public sealed class BootPlannerTests
{
    private readonly BootRequest _request = Valid();
    private readonly BootPlan _plan;
    private readonly BootedMemory _memory;

    public BootPlannerTests()
    {
        _plan = BootPlanner.Plan(_request);
        _memory = new BootedMemory(_plan);
    }

    [Fact]
    public void Should_fill_boot_params_as_the_protocol_says()
    {
        var page = _plan.BootParams;
        (page % 4096).ShouldBe(0ul);
        _memory.U16(page + 0x1fe).ShouldBe((ushort)0xaa55);
        _memory.U32(page + 0x202).ShouldBe(0x53726448u);
        _memory.U8(page + 0x1ef).ShouldBe((byte)0, "the sentinel must be clear");
        _memory.U8(page + 0x210).ShouldBe((byte)0xff);
        _memory.U8(page + 0x211).ShouldBe((byte)1);
        _memory.U32(page + 0x230).ShouldBe(_request.Kernel.Alignment);
        _memory.Read(page, 0x70).ToArray().ShouldAllBe(b => b == 0, "no screen, no APM, no BIOS data");
        _memory.CommandLine.ShouldBe(_plan.CommandLine);
        _memory.Read(_memory.Initrd.Start, (int)_memory.Initrd.Size).Span.SequenceEqual(_request.Initrd.Span).ShouldBeTrue();
    }

    [Fact]
    public void Should_start_the_kernel_at_its_64_bit_entry()
    {
        var kernel = _plan.Segments.Single(s => s.Name == "kernel");
        _plan.Entry.ShouldBe(kernel.Address + 0x200);
        _memory.U32(_plan.BootParams + 0x214).ShouldBe((uint)kernel.Address);
        (kernel.Address % _request.Kernel.Alignment).ShouldBe(0ul);
    }

    [Fact]
    public void Should_describe_memory()
    {
        var slot = _request.Slot;
        var expected = new MemoryMapEntry[]
        {
            new(_request.LowWindow, MemoryType.Ram),
            new(new(MiB, 127 * MiB), MemoryType.Ram),
            new(new(slot.Start, slot.Size - 0x301000), MemoryType.Ram),
            new(new(slot.End - 0x301000, MiB - 0x10000), MemoryType.AcpiReclaimable),
            new(new(slot.End - 0x211000, 0x211000), MemoryType.Reserved),
            new(new(0x7800_0000, 0x7fd_f000), MemoryType.Ram),
        };
        _memory.E820().ShouldBe(expected);
        _plan.MemoryMap.ShouldBe(expected);
    }

    [Fact]
    public void Should_reserve_what_is_held_back()
    {
        var (nodes, reserved) = _memory.SetupData();
        reserved.ShouldBe([new(0x7800_0000, 0x7fd_efff), new(MiB, 127 * MiB)], "one byte stays plain RAM at the end of memory, for max_pfn");
        nodes[0].Start.ShouldBe(_plan.Segments.Single(s => s.Name == "setup_data").Address);
        nodes[^1].End.ShouldBe(nodes[0].Start + 4096, "memory map boundaries are page boundaries");
    }

    [Fact]
    public void Should_reserve_all_of_each_piece_when_the_slot_is_the_highest_memory()
    {
        var plan = BootPlanner.Plan(_request with { HeldBack = [new(MiB, 127 * MiB)] });
        new BootedMemory(plan).SetupData().Reserved.ShouldBe([new(MiB, 127 * MiB)]);
    }

    [Fact]
    public void Should_have_no_setup_data_when_nothing_is_held_back()
    {
        var plan = BootPlanner.Plan(_request with { HeldBack = [] });
        new BootedMemory(plan).U64(plan.BootParams + 0x250).ShouldBe(0ul);
        plan.Segments.ShouldNotContain(s => s.Name == "setup_data");
    }

    [Fact]
    public void Should_map_four_GiB_and_nothing_else_for_a_low_slot()
    {
        foreach (var address in (ulong[])[0, 0x1_0000, _plan.Entry, _plan.Control, 0xffff_ffff])
        {
            _memory.Translate(address).ShouldBe(address);
        }

        _memory.Translate(1UL << 32).ShouldBeNull();
    }

    [Fact]
    public void Should_boot_above_4_GiB()
    {
        var slot = new PhysicalRange((512UL << 30) - 128 * MiB, 384 * MiB); /* across two page directory pointer tables */
        var plan = BootPlanner.Plan(_request with { Slot = slot });
        var memory = new BootedMemory(plan);
        memory.Translate(slot.Start).ShouldBe(slot.Start);
        memory.Translate(slot.End - 1).ShouldBe(slot.End - 1);
        memory.CommandLine.ShouldBe(plan.CommandLine);
        memory.Initrd.Start.ShouldBeGreaterThan(1UL << 32);
        memory.Acpi().Keys.ShouldContain("APIC");
        memory.SetupData().Reserved.Count.ShouldBe(2);
    }

    [Fact]
    public void Should_give_the_control_block_zeroed_and_out_of_ram()
    {
        var control = _plan.Segments.Single(s => s.Address == _plan.Control);
        control.Bytes.Length.ShouldBe(0x10000);
        control.Bytes.ToArray().ShouldAllBe(b => b == 0);
        _plan.MemoryMap.Single(e => e.Range.Contains(_plan.Control)).Type.ShouldBe(MemoryType.Reserved);
    }

    [Fact]
    public void Should_reference_kernel_and_initrd_and_not_copy_them()
    {
        _plan.Segments.Single(s => s.Name == "kernel").Bytes.ShouldBe(_request.Kernel.Payload);
        _plan.Segments.Single(s => s.Name == "initrd").Bytes.ShouldBe(_request.Initrd);
    }

    [Fact]
    public void Should_boot_without_an_initrd()
    {
        var plan = BootPlanner.Plan(_request with { Initrd = ReadOnlyMemory<byte>.Empty });
        new BootedMemory(plan).Initrd.ShouldBe(default);
        plan.Segments.ShouldNotContain(s => s.Name == "initrd");
    }

    [Fact]
    public void Should_keep_the_initrd_below_its_limit_when_the_kernel_cannot_use_more()
    {
        var limited = Valid(new SampleImage { XLoadFlags = 1, InitrdAddressMax = 0x2fff_ffff });
        new BootedMemory(BootPlanner.Plan(limited)).Initrd.End.ShouldBeLessThanOrEqualTo(0x3000_0000ul);

        var impossible = Valid(new SampleImage { XLoadFlags = 1, InitrdAddressMax = 0x1fff_ffff });
        var error = Should.Throw<BootImageException>(() => BootPlanner.Plan(impossible));
        error.Field.ShouldBe("Initrd");
        error.Message.ShouldContain("initrd_addr_max");
    }

    [Fact]
    public void Should_load_a_fixed_kernel_only_where_it_wants_to_be()
    {
        var there = Valid(new SampleImage { Relocatable = 0, Preferred = 0x2100_0000 });
        BootPlanner.Plan(there).Entry.ShouldBe(0x2100_0200ul);

        var elsewhere = Valid(new SampleImage { Relocatable = 0 });
        Should.Throw<BootImageException>(() => BootPlanner.Plan(elsewhere)).Violations.ShouldContain(v => v.Field == "relocatable_kernel");
    }

    [Fact]
    public void Should_load_at_the_preferred_address_or_above()
    {
        var slot = new PhysicalRange(2 * MiB, 254 * MiB);
        BootPlanner.Plan(_request with { Slot = slot, HeldBack = [] }).Entry.ShouldBe((16 * MiB) + 0x200);
    }
}
