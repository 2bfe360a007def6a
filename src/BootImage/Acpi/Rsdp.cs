namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>Root pointer, revision 2 (ACPI 6.3, 5.2.5.3).</summary>
internal static class Rsdp
{
    public const int Bytes = 36;

    public static byte[] Build(ulong xsdt)
    {
        var table = new byte[Bytes];
        table.Ascii(0, "RSD PTR ");
        table.Ascii(9, "TWINKR");
        table[15] = 2;
        table.U32(20, Bytes);
        table.U64(24, xsdt);
        AcpiTable.Seal(table, at: 8, length: 20);
        AcpiTable.Seal(table, at: 32, length: Bytes);
        return table;
    }
}
