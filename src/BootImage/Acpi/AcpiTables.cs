using static TwinKernel.Fleet.BootImage.ByteWriting;

namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>
/// The firmware tables that tell the kernel it lives on a small machine without PIC, PIT and IOAPIC (ACPI 6.3). They lie
/// back to back from the RSDP on.
/// </summary>
internal static class AcpiTables
{
    /// <summary>Linux knows APIC ids below MAX_LOCAL_APIC (32768).</summary>
    public const uint MaxApicId = 32767;

    /// <summary>Physical addresses in a table must lie below the 52 bits of the architecture.</summary>
    public const ulong AddressLimit = 1UL << 52;

    private const int Alignment = 64;

    /// <summary>All tables as they lie at <paramref name="address"/>, the RSDP first.</summary>
    public static byte[] Build(BootRequest request, ulong address)
    {
        var madt = Madt.Build(request.ApicIds);
        var dsdt = Dsdt.Build();
        var mcfg = request.Ecam is { } ecam ? Mcfg.Build(ecam) : [];
        var srat = request.Nodes is { } nodes ? Srat.Build(nodes) : [];

        var xsdtAt = Next(address + Rsdp.Bytes);
        var xsdtBytes = (ulong)(AcpiTable.HeaderBytes + (8 * (2 + (request.Ecam is null ? 0 : 1) + (request.Nodes is null ? 0 : 1))));
        var fadtAt = Next(xsdtAt + xsdtBytes);
        var madtAt = Next(fadtAt + Fadt.Bytes);
        var dsdtAt = Next(madtAt + (ulong)madt.Length);
        var mcfgAt = Next(dsdtAt + (ulong)dsdt.Length);
        var sratAt = Next(mcfgAt + (ulong)mcfg.Length);

        var xsdt = Xsdt.Build([fadtAt, madtAt, .. request.Ecam is null ? [] : new[] { mcfgAt }, .. request.Nodes is null ? [] : new[] { sratAt }]);
        var data = new byte[sratAt + (ulong)srat.Length - address];
        Put(Rsdp.Build(xsdtAt), address);
        Put(xsdt, xsdtAt);
        Put(Fadt.Build(dsdtAt), fadtAt);
        Put(madt, madtAt);
        Put(dsdt, dsdtAt);
        Put(mcfg, mcfgAt);
        Put(srat, sratAt);
        return data;

        void Put(byte[] table, ulong at) => table.CopyTo(data, (int)(at - address));

        static ulong Next(ulong end) => AlignUp(end, Alignment);
    }
}
