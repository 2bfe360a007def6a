using TwinKernel.Fleet.BootImage.Acpi;
using static TwinKernel.Fleet.BootImage.Violations;

namespace TwinKernel.Fleet.BootImage;

/// <summary>What can be said about a request before anything is laid out.</summary>
internal static class RequestChecks
{
    private const ulong PageBytes = 4096;
    private const ulong LargePageBytes = 2UL << 20;
    private const ulong MiB = 1UL << 20;
    private const ulong LowFirst = 64UL << 10;
    private const ulong LowEnd = 640UL << 10;
    private const ulong LowMinimum = 64UL << 10;

    public static void Check(BootRequest request, Violations violations)
    {
        CheckKernel(request, violations);
        CheckSlot(request, violations);
        CheckLowWindow(request.LowWindow, violations);
        CheckHeldBack(request, violations);
        CheckCpus(request, violations);
        CheckNodes(request, violations);
        violations.Require(request.TscKhz != 0, nameof(BootRequest.TscKhz), "the TSC's rate in kHz", "0");
        if (request.Ecam is { } ecam)
        {
            violations.Require(ecam.FirstBus <= ecam.LastBus, nameof(BootRequest.Ecam), "FirstBus up to LastBus", $"{ecam.FirstBus} to {ecam.LastBus}");
            violations.Require(ecam.Base != 0 && ecam.Base % MiB == 0 && ecam.Base < AcpiTables.AddressLimit, nameof(BootRequest.Ecam),
                "a base that is a multiple of 1 MiB", Hex(ecam.Base));
        }
    }

    private static void CheckKernel(BootRequest request, Violations violations)
    {
        var kernel = request.Kernel;
        violations.Require(kernel.Payload.Length == kernel.PayloadBytes, nameof(BootRequest.Kernel),
            $"the whole image, with {kernel.PayloadBytes} bytes of kernel", "only its header");
        violations.Require(request.HeldBack.Count == 0 || kernel.ProtocolVersion >= SetupHeader.Protocol215, "version",
            "boot protocol 2.15 (0x20f) or later to hold memory back", Hex(kernel.ProtocolVersion));
        violations.Require(kernel.CanBeLoadedAbove4G || request.Slot.Wraps || request.Slot.End <= 1UL << 32, "xloadflags",
            "XLF_CAN_BE_LOADED_ABOVE_4G (bit 1) for this slot", Hex(kernel.XLoadFlags));
    }

    private static void CheckSlot(BootRequest request, Violations violations)
    {
        var slot = request.Slot;
        violations.Require(IsValid(slot, LargePageBytes) && slot.Start >= LargePageBytes, nameof(BootRequest.Slot),
            $"whole 2 MiB pages from {Hex(LargePageBytes)} to {Hex(BootPlanner.AddressLimit)}", $"{slot}");
    }

    private static void CheckLowWindow(PhysicalRange low, Violations violations) =>
        violations.Require(IsValid(low, PageBytes) && low.Start >= LowFirst && low.End <= LowEnd && low.Size >= LowMinimum,
            nameof(BootRequest.LowWindow), $"at least {LowMinimum} bytes, whole pages, from {Hex(LowFirst)} to {Hex(LowEnd)}", $"{low}");

    private static void CheckHeldBack(BootRequest request, Violations violations)
    {
        var pieces = request.HeldBack;
        violations.Require(pieces.Count <= MemoryMap.MaxEntries - MemoryMap.OwnEntries, nameof(BootRequest.HeldBack),
            $"at most {MemoryMap.MaxEntries - MemoryMap.OwnEntries} pieces", $"{pieces.Count}");
        foreach (var piece in pieces)
        {
            violations.Require(IsValid(piece, PageBytes), nameof(BootRequest.HeldBack),
                $"whole pages below {Hex(BootPlanner.AddressLimit)}", $"{piece}");
            violations.Require(!piece.Overlaps(request.Slot), nameof(BootRequest.HeldBack), $"nothing of the slot {request.Slot}", $"{piece}");
            violations.Require(!piece.Overlaps(request.LowWindow), nameof(BootRequest.HeldBack), $"nothing of the low window {request.LowWindow}", $"{piece}");
        }

        foreach (var (first, second) in pieces.OrderBy(piece => piece.Start).Zip(pieces.OrderBy(piece => piece.Start).Skip(1)))
        {
            violations.Require(!first.Overlaps(second), nameof(BootRequest.HeldBack), "pieces that do not overlap", $"{first} and {second}");
        }
    }

    private static void CheckCpus(BootRequest request, Violations violations)
    {
        var ids = request.ApicIds;
        violations.Require(ids.Count > 0, nameof(BootRequest.ApicIds), "at least one CPU", "none");
        violations.Require(ids.Distinct().Count() == ids.Count, nameof(BootRequest.ApicIds), "each APIC id once", string.Join(',', ids));
        foreach (var id in ids.Where(id => id > AcpiTables.MaxApicId))
        {
            violations.Add(nameof(BootRequest.ApicIds), $"ids up to {AcpiTables.MaxApicId}", $"{id}");
        }

        violations.Require(ids.Contains(request.BootApicId), nameof(BootRequest.BootApicId), "one of ApicIds", $"{request.BootApicId}");
    }

    private static void CheckNodes(BootRequest request, Violations violations)
    {
        if (request.Nodes is not { } nodes)
        {
            return;
        }

        violations.Require(nodes.Cpus.Keys.Order().SequenceEqual(request.ApicIds.Order()), nameof(BootRequest.Nodes), "a node for each of ApicIds",
            $"nodes for {string.Join(',', nodes.Cpus.Keys.Order())}");
        foreach (var node in nodes.Cpus.Values.Concat(nodes.Memory.Select(piece => piece.Node)).Where(node => node >= NumaNodes.Limit).Distinct())
        {
            violations.Add(nameof(BootRequest.Nodes), $"nodes below {NumaNodes.Limit}", $"{node}");
        }

        foreach (var piece in nodes.Memory)
        {
            violations.Require(IsValid(piece.Range, PageBytes), nameof(BootRequest.Nodes), $"whole pages below {Hex(BootPlanner.AddressLimit)}", $"{piece.Range}");
        }

        foreach (var (first, second) in nodes.Memory.OrderBy(piece => piece.Range.Start).Zip(nodes.Memory.OrderBy(piece => piece.Range.Start).Skip(1)))
        {
            violations.Require(!first.Range.Overlaps(second.Range), nameof(BootRequest.Nodes), "memory that does not overlap", $"{first.Range} and {second.Range}");
        }

        foreach (var range in request.HeldBack.Append(request.Slot).Append(request.LowWindow).Where(range => !range.Wraps && !nodes.Covers(range)))
        {
            violations.Add(nameof(BootRequest.Nodes), "a node for all memory that the kernel sees", $"none for {range}");
        }
    }

    private static bool IsValid(PhysicalRange range, ulong alignment) =>
        range.Size != 0 && !range.Wraps && range.End <= BootPlanner.AddressLimit && range.Start % alignment == 0 && range.Size % alignment == 0;
}
