namespace TwinKernel.Fleet.BootImage;

/// <summary>Bytes that belong at a physical address. The kernel and the initrd are views of the caller's memory.</summary>
/// <param name="Address">Physical address of the first byte.</param>
/// <param name="Bytes">What to write there.</param>
/// <param name="Name">For logs and errors, as in <c>boot_params</c>.</param>
public sealed record BootSegment(ulong Address, ReadOnlyMemory<byte> Bytes, string Name)
{
    /// <summary>The memory that the segment covers.</summary>
    public PhysicalRange Range => new(Address, (ulong)Bytes.Length);
}

/// <summary>Types of memory in the map that firmware hands to a kernel (ACPI 6.3, 15.2).</summary>
public enum MemoryType : uint
{
    /// <summary>Memory the kernel may use.</summary>
    Ram = 1,

    /// <summary>Memory the kernel must leave alone.</summary>
    Reserved = 2,

    /// <summary>Memory that holds ACPI tables.</summary>
    AcpiReclaimable = 3,
}

/// <summary>One entry of the memory map (e820).</summary>
public readonly record struct MemoryMapEntry(PhysicalRange Range, MemoryType Type);

/// <summary>A boot, ready to be written into its slot and launched.</summary>
public sealed record BootPlan
{
    /// <summary>The kernel's 64-bit entry.</summary>
    public required ulong Entry { get; init; }

    /// <summary>Address of <c>struct boot_params</c>, page aligned; belongs in RSI at the entry.</summary>
    public required ulong BootParams { get; init; }

    /// <summary>Address of the identity map's top table (four levels), page aligned; belongs in CR3 at the entry.</summary>
    public required ulong PageTable { get; init; }

    /// <summary>Address of the control block, <see cref="BootPlanner.ControlBytes"/> long, page aligned, zeroed by a segment, reserved in the memory map.</summary>
    public required ulong Control { get; init; }

    /// <summary>Address of the link's memory, <see cref="BootPlanner.LinkBytes"/> long, page aligned, reserved in the memory map; the launch prepares it.</summary>
    public required ulong Link { get; init; }

    /// <summary>The command line that the kernel gets.</summary>
    public required string CommandLine { get; init; }

    /// <summary>The memory map that the kernel gets, sorted, without overlaps.</summary>
    public required IReadOnlyList<MemoryMapEntry> MemoryMap { get; init; }

    /// <summary>All that is to be written, sorted by address, without overlaps, all of it in the slot.</summary>
    public required IReadOnlyList<BootSegment> Segments { get; init; }
}
