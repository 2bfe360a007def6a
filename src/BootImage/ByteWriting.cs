using System.Buffers.Binary;

namespace TwinKernel.Fleet.BootImage;

/// <summary>Little-endian stores at fixed offsets, the way the structures of firmware and boot protocol are specified.</summary>
internal static class ByteWriting
{
    public static void U16(this byte[] data, int offset, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(offset), value);

    public static void U32(this byte[] data, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(offset), value);

    public static void U64(this byte[] data, int offset, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(offset), value);

    public static void Ascii(this byte[] data, int offset, string text) =>
        System.Text.Encoding.ASCII.GetBytes(text, data.AsSpan(offset));

    public static ulong AlignUp(ulong value, ulong alignment) => (value + (alignment - 1)) & ~(alignment - 1);

    public static ulong AlignDown(ulong value, ulong alignment) => value & ~(alignment - 1);
}
