namespace TwinKernel.Fleet.BootImage;

/// <summary>
/// The list of <c>setup_data</c> nodes that makes the kernel reserve held-back memory: one SETUP_INDIRECT node for each
/// piece (boot protocol 2.15). memblock_x86_reserve_range_setup_data() reserves what such a node points at without
/// reading it; nothing in Linux acts on the inner type, and SETUP_JAILHOUSE is used as the inner type because its only
/// reader first asks for the Jailhouse hypervisor and does not follow indirections.
/// </summary>
internal static class SetupData
{
    public const int NodeBytes = 40; /* struct setup_data (16) + struct setup_indirect (24) */

    private const int PageBytes = 4096;
    private const uint Indirect = 0x8000_0000;
    private const uint Jailhouse = 6;

    /// <summary>
    /// Length of the list in bytes: whole pages, the last node reaches to the end. Kernels before 6.15 split their memory
    /// map at the ends of nodes, and a boundary within a page would be a hole to memory hotplug.
    /// </summary>
    public static int BytesFor(int pieces) => (int)ByteWriting.AlignUp((ulong)(pieces * NodeBytes), PageBytes);

    /// <summary>Writes one node per piece, linked in order, to be placed at <paramref name="address"/>.</summary>
    /// <param name="pieces">What to reserve.</param>
    /// <param name="address">Where the first node will lie.</param>
    /// <param name="endOfRam">End of the highest RAM that is not held back.</param>
    public static byte[] Build(IReadOnlyList<PhysicalRange> pieces, ulong address, ulong endOfRam)
    {
        var data = new byte[BytesFor(pieces.Count)];
        var last = pieces.Count == 0 ? 0 : pieces.Max(piece => piece.End);
        for (var i = 0; i < pieces.Count; i++)
        {
            var offset = i * NodeBytes;
            data.U64(offset, i + 1 < pieces.Count ? address + (ulong)(offset + NodeBytes) : 0);
            data.U32(offset + 8, Indirect);
            data.U32(offset + 12, (uint)(i + 1 < pieces.Count ? NodeBytes : data.Length - offset) - 16);
            data.U32(offset + 16, Indirect | Jailhouse);
            data.U64(offset + 24, ReservedBytes(pieces[i]));
            data.U64(offset + 32, pieces[i].Start);
        }

        return data;

        /* Kernels before 6.15 turn what a node covers into a type of its own in their memory map, and take the last entry
           of plain RAM for the end of memory (max_pfn): 6.1 crashes in free_area_init() when a node reaches behind it. One
           byte of the last piece is left plain RAM for that. No page is lost with it: neither the page allocator nor memblock hands out a part of
           a page that is reserved otherwise, and no allocation fits one byte. */
        ulong ReservedBytes(PhysicalRange piece) => piece.End == last && last > endOfRam ? piece.Size - 1 : piece.Size;
    }
}
