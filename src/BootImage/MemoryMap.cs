namespace TwinKernel.Fleet.BootImage;

/// <summary>The memory that the kernel is told of.</summary>
internal static class MemoryMap
{
    /// <summary>Room for entries in <c>boot_params</c> (E820_MAX_ENTRIES_ZEROPAGE).</summary>
    public const int MaxEntries = 128;

    /// <summary>Low window, the slot's RAM, the slot's ACPI tables, what the two kernels share.</summary>
    public const int OwnEntries = 4;

    public static IReadOnlyList<MemoryMapEntry> Build(BootRequest request, ulong acpi, ulong shared) =>
    [
        .. request.HeldBack.Select(piece => new MemoryMapEntry(piece, MemoryType.Ram))
            .Append(new(request.LowWindow, MemoryType.Ram))
            .Append(new(new(request.Slot.Start, acpi - request.Slot.Start), MemoryType.Ram))
            .Append(new(new(acpi, shared - acpi), MemoryType.AcpiReclaimable))
            .Append(new(new(shared, request.Slot.End - shared), MemoryType.Reserved))
            .OrderBy(entry => entry.Range.Start),
    ];
}
