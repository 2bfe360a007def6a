using System.Buffers.Binary;
using System.Text;

namespace TwinKernel.Fleet.BootImage.Tests;

/// <summary>Builds bzImages whose header looks like that of a Debian kernel and whose kernel is a pattern.</summary>
internal sealed record SampleImage
{
    public ushort Protocol { get; init; } = 0x20f;
    public int SetupSectors { get; init; } = 39;
    public int KernelBytes { get; init; } = 64 << 10;
    public uint InitSize { get; init; } = 32 << 20;
    public uint Alignment { get; init; } = 2 << 20;
    public ulong Preferred { get; init; } = 16 << 20;
    public ushort XLoadFlags { get; init; } = 0x7f;
    public byte Relocatable { get; init; } = 1;
    public uint InitrdAddressMax { get; init; } = 0x7fff_ffff;
    public uint CommandLineSize { get; init; } = 2047;
    public string Version { get; init; } = "6.1.0-56-cloud-amd64 (build@example) #1 SMP";
    public int Trailing { get; init; } = 1536;

    public byte[] Build()
    {
        var setup = (SetupSectors + 1) * 512;
        var image = new byte[setup + KernelBytes + Trailing];
        for (var i = setup; i < setup + KernelBytes; i++)
        {
            image[i] = (byte)(i * 31);
        }

        image[0x1f1] = (byte)SetupSectors;
        U32(0x1f4, (uint)KernelBytes / 16);
        U16(0x1fe, 0xaa55);
        image[0x200] = 0xeb;
        image[0x201] = 0x6a;
        Encoding.ASCII.GetBytes("HdrS", image.AsSpan(0x202));
        U16(0x206, Protocol);
        U16(0x20e, 0x1000);
        image[0x211] = 1;
        U32(0x214, 0x10_0000);
        U32(0x22c, InitrdAddressMax);
        U32(0x230, Alignment);
        image[0x234] = Relocatable;
        image[0x235] = 21;
        U16(0x236, XLoadFlags);
        U32(0x238, CommandLineSize);
        U32(0x248, 0x2ee);
        U32(0x24c, (uint)KernelBytes - 0x2ee - 16);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(0x258), Preferred);
        U32(0x260, InitSize);
        Encoding.ASCII.GetBytes(Version + "\0", image.AsSpan(0x1200));
        return image;

        void U16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(at), value);
        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(at), value);
    }
}
