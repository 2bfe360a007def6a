namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>Where configuration space lies (PCI Firmware 3.2, 4.1.2). The kernel boots with pci=off; the module reads it.</summary>
internal static class Mcfg
{
    private const int EntryAt = 44;

    public static byte[] Build(Ecam ecam)
    {
        var table = AcpiTable.Create("MCFG", revision: 1, EntryAt + 16);
        table.U64(EntryAt, ecam.Base);
        table.U16(EntryAt + 8, 0); /* segment */
        table[EntryAt + 10] = ecam.FirstBus;
        table[EntryAt + 11] = ecam.LastBus;
        AcpiTable.Seal(table);
        return table;
    }
}
