namespace TwinKernel.Fleet.BootImage;

/// <summary>Four-level page tables that map physical addresses to themselves with 2 MiB pages.</summary>
internal static class IdentityMap
{
    private const ulong GiB = 1UL << 30;
    private const ulong LargePage = 2UL << 20;
    private const int TableBytes = 4096;
    private const ulong Table = 0x3;   /* present, writable */
    private const ulong Page = 0x83;   /* present, writable, 2 MiB */

    /// <summary>Length of the tables for 0 to 4 GiB and <paramref name="slot"/>, in bytes.</summary>
    public static ulong BytesFor(PhysicalRange slot)
    {
        var gibs = Gibs(slot).ToList();
        return (ulong)(1 + gibs.Select(gib => gib >> 9).Distinct().Count() + gibs.Count) * TableBytes;
    }

    /// <summary>Writes the tables as they lie at <paramref name="address"/>; the top table comes first.</summary>
    public static byte[] Build(PhysicalRange slot, ulong address)
    {
        var data = new byte[BytesFor(slot)];
        var used = TableBytes;
        var directoryPointers = new Dictionary<ulong, int>();
        foreach (var gib in Gibs(slot))
        {
            if (!directoryPointers.TryGetValue(gib >> 9, out var pointers))
            {
                pointers = NewTable();
                directoryPointers.Add(gib >> 9, pointers);
                data.U64((int)(gib >> 9) * 8, (address + (ulong)pointers) | Table);
            }

            var directory = NewTable();
            data.U64(pointers + ((int)(gib & 511) * 8), (address + (ulong)directory) | Table);
            for (var i = 0; i < 512; i++)
            {
                data.U64(directory + (i * 8), (gib * GiB) + ((ulong)i * LargePage) | Page);
            }
        }

        return data;

        int NewTable()
        {
            used += TableBytes;
            return used - TableBytes;
        }
    }

    private static IEnumerable<ulong> Gibs(PhysicalRange slot)
    {
        for (ulong gib = 0; gib < 4; gib++)
        {
            yield return gib;
        }

        for (var gib = Math.Max(4, slot.Start / GiB); gib <= (slot.End - 1) / GiB; gib++)
        {
            yield return gib;
        }
    }
}
