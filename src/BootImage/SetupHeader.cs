namespace TwinKernel.Fleet.BootImage;

/// <summary>
/// Offsets and constants of the Linux x86 boot protocol. The setup header lies at the same offsets in a bzImage and in
/// <c>struct boot_params</c> (Documentation/arch/x86/boot.rst, arch/x86/include/uapi/asm/bootparam.h).
/// </summary>
internal static class SetupHeader
{
    public const int Start = 0x1f1;
    public const int SetupSectors = 0x1f1;
    public const int SysSize = 0x1f4;
    public const int BootFlag = 0x1fe;
    public const int Jump = 0x201;
    public const int Magic = 0x202;
    public const int Version = 0x206;
    public const int KernelVersion = 0x20e;
    public const int TypeOfLoader = 0x210;
    public const int LoadFlags = 0x211;
    public const int Code32Start = 0x214;
    public const int RamdiskImage = 0x218;
    public const int RamdiskSize = 0x21c;
    public const int CommandLine = 0x228;
    public const int InitrdAddressMax = 0x22c;
    public const int KernelAlignment = 0x230;
    public const int Relocatable = 0x234;
    public const int XLoadFlags = 0x236;
    public const int CommandLineSize = 0x238;
    public const int PayloadOffset = 0x248;
    public const int PayloadLength = 0x24c;
    public const int SetupData = 0x250;
    public const int PreferredAddress = 0x258;
    public const int InitSize = 0x260;

    /// <summary>End of the last field that is read here (init_size, protocol 2.10).</summary>
    public const int End = 0x264;

    /// <summary>The header's room in <c>boot_params</c>: behind it lies the EDD table.</summary>
    public const int EndInBootParams = 0x290;

    public const int SectorSize = 512;
    public const ushort BootFlagValue = 0xaa55;
    public const uint MagicValue = 0x53726448; /* "HdrS" */
    public const ushort Protocol214 = 0x020e;  /* acpi_rsdp_addr */
    public const ushort Protocol215 = 0x020f;  /* SETUP_INDIRECT */
    public const byte LoadedHigh = 1 << 0;
    public const ushort XlfKernel64 = 1 << 0;
    public const ushort XlfCanBeLoadedAbove4G = 1 << 1;

    /// <summary>The 64-bit entry lies at this offset in the protected-mode kernel.</summary>
    public const int Entry64 = 0x200;
}
