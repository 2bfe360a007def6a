namespace TwinKernel.Fleet.BootImage;

/// <summary>A Linux x86-64 kernel as distributions ship it, checked for what a twin boot needs of it.</summary>
public sealed record BzImage
{
    internal BzImage()
    {
    }

    /// <summary>Boot protocol, major in the high byte: 0x020f is 2.15. At least 2.14.</summary>
    public ushort ProtocolVersion { get; internal init; }

    /// <summary>Length of boot sector and setup code, the part of the file in front of the <see cref="Payload"/>.</summary>
    public int SetupBytes { get; internal init; }

    /// <summary>Memory from the load address on that the kernel overwrites before it looks at the memory map, in bytes.</summary>
    public uint InitSize { get; internal init; }

    /// <summary>The address that the kernel prefers; a relocatable one runs at this address or above.</summary>
    public ulong PreferredAddress { get; internal init; }

    /// <summary>Alignment of the load address in bytes, a power of two.</summary>
    public uint Alignment { get; internal init; }

    /// <summary>True when the kernel may be loaded elsewhere than at <see cref="PreferredAddress"/>.</summary>
    public bool Relocatable { get; internal init; }

    /// <summary>The last address that an initrd may use, unless <see cref="CanBeLoadedAbove4G"/>.</summary>
    public uint InitrdAddressMax { get; internal init; }

    /// <summary>Longest command line in bytes, without the terminating NUL.</summary>
    public uint CommandLineSize { get; internal init; }

    /// <summary>XLF_* bits of the header; XLF_KERNEL_64 (bit 0) is always set.</summary>
    public ushort XLoadFlags { get; internal init; }

    /// <summary>What <c>uname -r</c> and the builder's note say, as in <c>6.1.0-56-cloud-amd64 (…) #1 SMP …</c>; empty when the image does not tell.</summary>
    public string KernelVersion { get; internal init; } = "";

    /// <summary>Length of the protected-mode kernel in bytes, as the header tells it.</summary>
    public long PayloadBytes { get; internal init; }

    /// <summary>The protected-mode kernel: a view of the parsed memory; empty when only the header was parsed.</summary>
    public ReadOnlyMemory<byte> Payload { get; internal init; }

    /// <summary>The setup header as it is copied to <c>boot_params</c>, from offset 0x1f1 on.</summary>
    internal ReadOnlyMemory<byte> Header { get; init; }

    /// <summary>True when kernel, initrd, command line and boot_params may lie above 4 GiB (XLF_CAN_BE_LOADED_ABOVE_4G).</summary>
    public bool CanBeLoadedAbove4G => (XLoadFlags & SetupHeader.XlfCanBeLoadedAbove4G) != 0;

    /// <summary>Reads a whole image. Bytes behind the kernel (a signature) are ignored.</summary>
    /// <param name="image">The file.</param>
    /// <exception cref="BootImageException">Not an x86-64 bzImage of protocol 2.14 or later, or not all of one.</exception>
    public static BzImage Parse(ReadOnlyMemory<byte> image)
    {
        var header = BzImageReader.Read(image, image.Length);
        return header with { Payload = image.Slice(header.SetupBytes, (int)header.PayloadBytes) };
    }

    /// <summary>
    /// Reads the beginning of an image that is still to come, so that a wrong one is refused before it is transferred.
    /// The result has no <see cref="Payload"/> and cannot be planned with.
    /// </summary>
    /// <param name="beginning">The file's first bytes; 64 KiB always suffice.</param>
    /// <param name="totalBytes">Length of the whole file.</param>
    /// <exception cref="BootImageException">As for <see cref="Parse"/>.</exception>
    public static BzImage ParseHeader(ReadOnlyMemory<byte> beginning, long totalBytes) =>
        BzImageReader.Read(beginning, totalBytes);
}
