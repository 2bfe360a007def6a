namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>
/// Which CPU and which memory belong to which node (ACPI 6.3, 5.2.16); memory that the kernel adopts later as well. The kernel
/// numbers its nodes as it meets them, CPUs first: in ascending order, nodes with CPUs keep the running kernel's numbers.
/// </summary>
internal static class Srat
{
    private const int EntriesAt = 48;
    private const int CpuBytes = 16;
    private const int X2ApicBytes = 24;
    private const int MemoryBytes = 40;
    private const uint FirstX2ApicId = 255;
    private const uint Enabled = 1 << 0;

    public static byte[] Build(NumaNodes nodes)
    {
        /* The kernel reads all entries of one kind before those of another: CPUs are of one kind, for the order's sake. */
        var wide = nodes.Cpus.Keys.Any(id => id >= FirstX2ApicId);
        var memory = nodes.Joined();
        var table = AcpiTable.Create("SRAT", revision: 3, EntriesAt + (nodes.Cpus.Count * (wide ? X2ApicBytes : CpuBytes)) + (memory.Count * MemoryBytes));
        table.U32(36, 1); /* once the table's revision */
        var offset = EntriesAt;
        foreach (var (id, node) in nodes.Cpus.OrderBy(cpu => cpu.Value).ThenBy(cpu => cpu.Key))
        {
            offset += wide ? WriteX2Apic(table, offset, id, node) : WriteCpu(table, offset, id, node);
        }

        foreach (var piece in memory)
        {
            table[offset] = 1; /* memory affinity */
            table[offset + 1] = MemoryBytes;
            table.U32(offset + 2, piece.Node);
            table.U64(offset + 8, piece.Range.Start);
            table.U64(offset + 16, piece.Range.Size);
            table.U32(offset + 28, Enabled);
            offset += MemoryBytes;
        }

        AcpiTable.Seal(table);
        return table;
    }

    private static int WriteCpu(byte[] table, int offset, uint id, uint node)
    {
        table[offset] = 0; /* processor local APIC affinity */
        table[offset + 1] = CpuBytes;
        table[offset + 2] = (byte)node;
        table[offset + 3] = (byte)id;
        table.U32(offset + 4, Enabled);
        table[offset + 9] = (byte)(node >> 8);
        return CpuBytes;
    }

    private static int WriteX2Apic(byte[] table, int offset, uint id, uint node)
    {
        table[offset] = 2; /* processor local x2APIC affinity */
        table[offset + 1] = X2ApicBytes;
        table.U32(offset + 4, node);
        table.U32(offset + 8, id);
        table.U32(offset + 12, Enabled);
        return X2ApicBytes;
    }
}
