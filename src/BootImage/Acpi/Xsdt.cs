namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>The list of tables (ACPI 6.3, 5.2.8).</summary>
internal static class Xsdt
{
    public static byte[] Build(ReadOnlySpan<ulong> tables)
    {
        var table = AcpiTable.Create("XSDT", revision: 1, AcpiTable.HeaderBytes + (8 * tables.Length));
        for (var i = 0; i < tables.Length; i++)
        {
            table.U64(AcpiTable.HeaderBytes + (8 * i), tables[i]);
        }

        AcpiTable.Seal(table);
        return table;
    }
}
