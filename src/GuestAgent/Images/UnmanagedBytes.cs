using System.Buffers;
using System.Runtime.InteropServices;

namespace TwinKernel.Fleet.GuestAgent.Images;

/// <summary>
/// Bytes outside the collected heap, back with the kernel when they are disposed of: tens of megabytes in it would have to be collected before they are
/// free, and for that all threads of the agent stand still.
/// </summary>
/// <remarks>Not to be read after <see cref="MemoryManager{T}.Dispose(bool)"/>, nor any piece of it.</remarks>
internal sealed unsafe class UnmanagedBytes(int length) : MemoryManager<byte>
{
    private byte* _start = (byte*)NativeMemory.Alloc((nuint)length);

    public int Length => length;

    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_start == null, this);
        return new Span<byte>(_start, length);
    }

    public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        NativeMemory.Free(_start);
        _start = null;
    }
}
