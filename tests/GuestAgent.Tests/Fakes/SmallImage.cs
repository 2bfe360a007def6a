using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Fakes;

/// <summary>The smallest image that the boot protocol knows, and the call that carries it.</summary>
internal sealed class SmallImage
{
    private const int SetupBytes = 5 * 512;

    public byte[] Kernel { get; } = MakeKernel();

    public byte[] Initrd { get; } = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))];

    public Wire.LoadHeader Header(string upgradeId = "u1", ulong epoch = 1) => new()
    {
        UpgradeId = upgradeId,
        Epoch = epoch,
        ImageDigest = $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Kernel))}",
        Kernel = Part(Kernel),
        Initrd = Part(Initrd),
        CommandLine = "console=ttyS0,115200 quiet",
    };

    /// <summary>The bytes in pieces that do not end where the kernel does.</summary>
    public Func<CancellationToken, ReadOnlyMemory<byte>?> Chunks(int size = 3000)
    {
        byte[] all = [.. Kernel, .. Initrd];
        Queue<byte[]> chunks = new(all.Chunk(size));
        return _ => chunks.TryDequeue(out byte[]? chunk) ? new ReadOnlyMemory<byte>(chunk) : (ReadOnlyMemory<byte>?)null;
    }

    private static Wire.LoadHeader.Types.Part Part(byte[] bytes) =>
        new() { Bytes = (ulong)bytes.Length, Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)) };

    private static byte[] MakeKernel()
    {
        byte[] image = new byte[SetupBytes + 8192];
        image.AsSpan(SetupBytes).Fill(0x90);
        image[0x1f1] = 4;
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x1f4), 8192 / 16);
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x1fe), 0xaa55);
        image[0x201] = 0x6a;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), 0x020f);
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x20e), 0x200);
        Encoding.ASCII.GetBytes("6.12.0-test (builder) #1 SMP\0").CopyTo(image.AsSpan(0x400));
        image[0x211] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x22c), 0x7fffffff);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x230), 0x200000);
        image[0x234] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x236), 0x3);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x238), 2047);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(0x258), 0x1000000);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x260), 0x1000000);
        return image;
    }
}
