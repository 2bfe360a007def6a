namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>The namespace (ACPI 6.3, 5.2.11.1): no devices. It opens <c>_SB</c>, since iasl cannot read back an empty one.</summary>
internal static class Dsdt
{
    /// <summary><c>Scope (_SB) {}</c>: ScopeOp, package length 5, name.</summary>
    private static ReadOnlySpan<byte> EmptySystemBus => "\u0010\u0005_SB_"u8;

    public static byte[] Build()
    {
        var table = AcpiTable.Create("DSDT", revision: 2, AcpiTable.HeaderBytes + EmptySystemBus.Length);
        EmptySystemBus.CopyTo(table.AsSpan(AcpiTable.HeaderBytes));
        AcpiTable.Seal(table);
        return table;
    }
}
