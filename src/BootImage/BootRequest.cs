namespace TwinKernel.Fleet.BootImage;

/// <summary>Where PCI Express configuration space of segment 0 is mapped.</summary>
/// <param name="Base">Physical address of bus 0's space (as MCFG gives it), even when <paramref name="FirstBus"/> is not 0.</param>
/// <param name="FirstBus">First bus that is mapped.</param>
/// <param name="LastBus">Last bus that is mapped.</param>
public readonly record struct Ecam(ulong Base, byte FirstBus, byte LastBus);

/// <summary>What is to be booted, and what of the machine it may see.</summary>
public sealed record BootRequest
{
    /// <summary>The kernel, from <see cref="BzImage.Parse"/>.</summary>
    public required BzImage Kernel { get; init; }

    /// <summary>The initrd; may be empty.</summary>
    public required ReadOnlyMemory<byte> Initrd { get; init; }

    /// <summary>The image's command line, printable ASCII. <see cref="BootPlanner"/> says what is added, replaced and refused.</summary>
    public required string CommandLine { get; init; }

    /// <summary>The memory to boot in: above 1 MiB, 2 MiB aligned, its last 1 MiB is kept for ACPI tables and control block.</summary>
    public required PhysicalRange Slot { get; init; }

    /// <summary>Memory for the kernel's AP trampoline: whole pages from 64 KiB to 640 KiB, at least 64 KiB.</summary>
    public required PhysicalRange LowWindow { get; init; }

    /// <summary>APIC ids of all CPUs that the kernel may ever own, in any order, each once.</summary>
    public required IReadOnlyList<uint> ApicIds { get; init; }

    /// <summary>APIC id of the CPU that it starts on; one of <see cref="ApicIds"/>.</summary>
    public required uint BootApicId { get; init; }

    /// <summary>Rate of the time stamp counter in kHz, not 0.</summary>
    public required uint TscKhz { get; init; }

    /// <summary>
    /// RAM that the kernel is to see as its own but must neither touch nor allocate: whole pages outside slot and low
    /// window, not overlapping, in any order. Needs boot protocol 2.15.
    /// </summary>
    public IReadOnlyList<PhysicalRange> HeldBack { get; init; } = [];

    /// <summary>PCI Express configuration space, handed on in the MCFG table; null: not told.</summary>
    public Ecam? Ecam { get; init; }

    /// <summary>
    /// The machine's NUMA nodes, handed on in the SRAT table: a node for each of <see cref="ApicIds"/>, and memory that covers slot,
    /// low window and <see cref="HeldBack"/>. null: one node, not told.
    /// </summary>
    public NumaNodes? Nodes { get; init; }

    /// <summary>Value of the one <c>console=</c> that the kernel gets.</summary>
    public string Console { get; init; } = "ttyS1,115200";
}
