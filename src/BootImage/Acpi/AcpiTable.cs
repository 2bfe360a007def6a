namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>The header that all tables but the RSDP share (ACPI 6.3, 5.2.6).</summary>
internal static class AcpiTable
{
    public const int HeaderBytes = 36;

    private const int ChecksumAt = 9;

    public static byte[] Create(string signature, byte revision, int length)
    {
        var table = new byte[length];
        table.Ascii(0, signature);
        table.U32(4, (uint)length);
        table[8] = revision;
        table.Ascii(10, "TWINKR");
        table.Ascii(16, "TWINKERN");
        table.U32(24, 1);
        table.Ascii(28, "TWIN");
        table.U32(32, 1);
        return table;
    }

    /// <summary>Sets the checksum; the table must not change afterwards.</summary>
    public static void Seal(byte[] table) => Seal(table, ChecksumAt, table.Length);

    /// <summary>Makes the first <paramref name="length"/> bytes add up to 0 by the byte at <paramref name="at"/>.</summary>
    public static void Seal(byte[] table, int at, int length)
    {
        table[at] = 0;
        byte sum = 0;
        foreach (var value in table.AsSpan(0, length))
        {
            sum = unchecked((byte)(sum + value));
        }

        table[at] = unchecked((byte)-sum);
    }
}
