namespace TwinKernel.Fleet.BootImage;

/// <summary>Writes <c>struct boot_params</c>, the zero page (arch/x86/include/uapi/asm/bootparam.h).</summary>
internal static class BootParams
{
    public const int Bytes = 4096;

    private const int AcpiRsdpAddress = 0x070;
    private const int ExtRamdiskImage = 0x0c0;
    private const int ExtRamdiskSize = 0x0c4;
    private const int ExtCommandLine = 0x0c8;
    private const int E820Entries = 0x1e8;
    private const int E820Table = 0x2d0;
    private const int E820EntryBytes = 20;
    private const byte UndefinedLoader = 0xff;

    public static byte[] Build(BootRequest request, SlotLayout layout, IReadOnlyList<MemoryMapEntry> map)
    {
        var page = new byte[Bytes];
        request.Kernel.Header.Span.CopyTo(page.AsSpan(SetupHeader.Start));

        page[SetupHeader.TypeOfLoader] = UndefinedLoader;
        page[SetupHeader.LoadFlags] |= SetupHeader.LoadedHigh;
        page.U32(SetupHeader.Code32Start, (uint)layout.Kernel); /* not used by the 64-bit entry */
        Split(layout.Initrd, SetupHeader.RamdiskImage, ExtRamdiskImage);
        Split((ulong)request.Initrd.Length, SetupHeader.RamdiskSize, ExtRamdiskSize);
        Split(layout.CommandLine, SetupHeader.CommandLine, ExtCommandLine);
        page.U64(SetupHeader.SetupData, request.HeldBack.Count > 0 ? layout.SetupData : 0);
        page.U64(AcpiRsdpAddress, layout.Acpi);

        page[E820Entries] = (byte)map.Count;
        for (var i = 0; i < map.Count; i++)
        {
            var offset = E820Table + (i * E820EntryBytes);
            page.U64(offset, map[i].Range.Start);
            page.U64(offset + 8, map[i].Range.Size);
            page.U32(offset + 16, (uint)map[i].Type);
        }

        return page;

        void Split(ulong value, int low, int high)
        {
            page.U32(low, (uint)value);
            page.U32(high, (uint)(value >> 32));
        }
    }
}
