namespace TwinKernel.Fleet.BootImage.Acpi;

/// <summary>Fixed description (ACPI 6.3, 5.2.9): what keeps the kernel's hands off the other kernel's hardware.</summary>
internal static class Fadt
{
    public const int Bytes = 276;

    private const int IapcBootArchitecture = 109;
    private const int Flags = 112;
    private const int MinorVersion = 131;
    private const int XDsdt = 140;

    private const ushort NoVga = 1 << 2;
    private const ushort NoCmosRtc = 1 << 5; /* bit 3, MSI not supported, must stay clear: drivers would fail with -22 */

    private const uint NoPowerButton = 1u << 4;
    private const uint NoSleepButton = 1u << 5;
    private const uint PhysicalApicDestinations = 1u << 19; /* else the logical APIC id collides with the other kernel's CPU 0 */
    private const uint HardwareReduced = 1u << 20; /* no PIC, no PIT; no reset register: the kernel never resets the machine */

    public static byte[] Build(ulong dsdt)
    {
        var table = AcpiTable.Create("FACP", revision: 6, Bytes);
        table.U16(IapcBootArchitecture, NoVga | NoCmosRtc);
        table.U32(Flags, HardwareReduced | PhysicalApicDestinations | NoPowerButton | NoSleepButton);
        table[MinorVersion] = 3; /* 6.3 gives "online capable" in the MADT its meaning */
        table.U64(XDsdt, dsdt);
        AcpiTable.Seal(table);
        return table;
    }
}
