namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>The CPUs (ACPI 6.3, 5.2.12). There is no IOAPIC: with one, the kernel would mask every pin of the real one.</summary>
internal static class Madt
{
    private const int EntriesAt = 44;
    private const uint LocalApicAddress = 0xfee0_0000;
    private const uint FirstX2ApicId = 255;
    private const uint Enabled = 1 << 0;
    private const uint OnlineCapable = 1 << 1;
    private const uint PreferredPhantom = 0x7e;

    public static byte[] Build(IReadOnlyList<uint> apicIds)
    {
        /* Kernels from 6.9 on take the first id that is not their own for the machine's boot CPU and never touch it again;
           when their own id comes first they limit themselves to one CPU. A phantom takes that place. */
        uint[] ids = [Phantom(apicIds), .. apicIds.Order()];
        var table = AcpiTable.Create("APIC", revision: 5, EntriesAt + ids.Sum(EntryBytes));
        table.U32(36, LocalApicAddress);
        var offset = EntriesAt;
        for (var i = 0; i < ids.Length; i++)
        {
            Write(table, offset, ids[i], i == 0 ? OnlineCapable : Enabled);
            offset += EntryBytes(ids[i]);
        }

        AcpiTable.Seal(table);
        return table;
    }

    /// <summary>An id that no CPU has; an xAPIC id when one is left.</summary>
    internal static uint Phantom(IReadOnlyList<uint> apicIds)
    {
        var used = apicIds.ToHashSet();
        if (!used.Contains(PreferredPhantom))
        {
            return PreferredPhantom;
        }

        for (var id = FirstX2ApicId - 1; id > 0; id--)
        {
            if (!used.Contains(id))
            {
                return id;
            }
        }

        var free = FirstX2ApicId + 1;
        while (used.Contains(free))
        {
            free++;
        }

        return free;
    }

    private static int EntryBytes(uint id) => id < FirstX2ApicId ? 8 : 16;

    private static void Write(byte[] table, int offset, uint id, uint flags)
    {
        if (id < FirstX2ApicId)
        {
            table[offset] = 0; /* processor local APIC */
            table[offset + 1] = 8;
            table[offset + 2] = (byte)id; /* processor UID */
            table[offset + 3] = (byte)id;
            table.U32(offset + 4, flags);
        }
        else
        {
            table[offset] = 9; /* processor local x2APIC */
            table[offset + 1] = 16;
            table.U32(offset + 4, id);
            table.U32(offset + 8, flags);
            table.U32(offset + 12, id);
        }
    }
}
