namespace TwinKernel.Fleet.BootImage.Tests;

/// <summary>What holds for every plan, read back from its bytes.</summary>
internal static class PlanRules
{
    public static void Hold(BootRequest request, BootPlan plan)
    {
        var memory = new BootedMemory(plan);
        SegmentsAreDisjointInTheSlot(request, plan);
        MemoryMapIsRight(request, plan, memory.E820());
        HeldBackIsReserved(request, plan, memory);
        AddressesAreMapped(request, plan, memory);
        CpusAreListed(request, memory);
        memory.CommandLine.ShouldBe(plan.CommandLine);
        memory.Initrd.Size.ShouldBe((ulong)request.Initrd.Length);
    }

    private static void SegmentsAreDisjointInTheSlot(BootRequest request, BootPlan plan)
    {
        plan.Segments.ShouldAllBe(s => request.Slot.Contains(s.Range));
        foreach (var (first, second) in plan.Segments.Zip(plan.Segments.Skip(1)))
        {
            first.Range.End.ShouldBeLessThanOrEqualTo(second.Address, $"{first.Name} and {second.Name}");
        }

        var kernel = plan.Segments.Single(s => s.Name == "kernel");
        kernel.Address.ShouldBeGreaterThanOrEqualTo(request.Kernel.PreferredAddress);
        (kernel.Address % request.Kernel.Alignment).ShouldBe(0ul);
        var unpacked = new PhysicalRange(kernel.Address, request.Kernel.InitSize);
        plan.Segments.ShouldAllBe(s => s == kernel || !s.Range.Overlaps(unpacked));
        plan.MemoryMap.ShouldContain(e => e.Type == MemoryType.Ram && e.Range.Contains(unpacked));
    }

    private static void MemoryMapIsRight(BootRequest request, BootPlan plan, IReadOnlyList<MemoryMapEntry> map)
    {
        map.ShouldBe(plan.MemoryMap);
        map.Count.ShouldBeLessThanOrEqualTo(128);
        foreach (var (first, second) in map.Zip(map.Skip(1)))
        {
            first.Range.End.ShouldBeLessThanOrEqualTo(second.Range.Start);
        }

        PhysicalRange[] ram = [.. request.HeldBack, request.LowWindow, new(request.Slot.Start, request.Slot.Size - (1 << 20) - BootPlanner.LinkBytes)];
        map.Where(e => e.Type == MemoryType.Ram).Select(e => e.Range).ShouldBe(ram, ignoreOrder: true);
        var others = map.Where(e => e.Type != MemoryType.Ram).ToList();
        others.ShouldAllBe(e => request.Slot.Contains(e.Range));
        others.Aggregate(0ul, (sum, e) => sum + e.Range.Size).ShouldBe((1ul << 20) + BootPlanner.LinkBytes);
        others.ShouldContain(e => e.Range.Contains(new PhysicalRange(plan.Control, 0x10000)));
        others.ShouldContain(e => e.Range.Contains(new PhysicalRange(plan.Link, BootPlanner.LinkBytes)));
        plan.Segments.Select(s => s.Range).ShouldAllBe(s => !s.Overlaps(new PhysicalRange(plan.Link, BootPlanner.LinkBytes)));
    }

    private static void HeldBackIsReserved(BootRequest request, BootPlan plan, BootedMemory memory)
    {
        var (nodes, reserved) = memory.SetupData();
        reserved.Select(r => r.Start).ShouldBe(request.HeldBack.Select(p => p.Start));
        var end = plan.MemoryMap.Where(e => e.Type == MemoryType.Ram).Max(e => e.Range.End);
        foreach (var (piece, range) in request.HeldBack.Zip(reserved))
        {
            range.Size.ShouldBe(piece.End == end ? piece.Size - 1 : piece.Size);
        }

        nodes.ShouldAllBe(n => plan.MemoryMap.Any(e => e.Type == MemoryType.Ram && e.Range.Contains(n)));
    }

    private static void AddressesAreMapped(BootRequest request, BootPlan plan, BootedMemory memory)
    {
        ulong[] addresses = [0, 0xffff_ffff, plan.Entry, plan.BootParams, plan.Control, request.Slot.Start, request.Slot.End - 1,
            .. plan.Segments.Select(s => s.Range.End - 1)];
        foreach (var address in addresses)
        {
            memory.Translate(address).ShouldBe(address);
        }
    }

    private static void CpusAreListed(BootRequest request, BootedMemory memory)
    {
        var cpus = AcpiTests.Cpus(memory.Acpi());
        cpus[0].Flags.ShouldBe(2u);
        request.ApicIds.ShouldNotContain(cpus[0].Id);
        cpus.Skip(1).ShouldBe(request.ApicIds.Order().Select(id => (id, 1u)));
    }
}
