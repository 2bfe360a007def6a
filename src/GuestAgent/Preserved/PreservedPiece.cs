using System.Runtime.InteropServices;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Preserved;

/// <summary>
/// A piece of preserved memory, mapped: the same bytes in every kernel of the machine, one after the other and side by side
/// (docs/kernel-abi.md). Nothing orders what two kernels write but what they agree on.
/// </summary>
public sealed unsafe class PreservedPiece : IDisposable
{
    private readonly byte* _start;
    private readonly nuint _length;

    private PreservedPiece(byte* start, nuint length)
    {
        _start = start;
        _length = length;
    }

    /// <summary>Its length, a multiple of the page size.</summary>
    public ulong Length => _length;

    /// <summary>The first 2 GiB of it. Not to be used once this is disposed of.</summary>
    public Span<byte> Bytes => new(_start, (int)Math.Min(_length, int.MaxValue));

    /// <summary>The first byte, for what a span does not reach and for volatile access.</summary>
    public byte* Start => _start;

    /// <summary>The device of a piece.</summary>
    public static string PathOf(string name) => $"/dev/twinkernel-preserved/{name}";

    /// <summary>Maps a piece that <see cref="PreservedMemory.Ensure"/>, here or in a kernel before, has made.</summary>
    /// <exception cref="DeviceException">ENOENT: there is none of this name.</exception>
    public static PreservedPiece Open(string name)
    {
        string path = PathOf(name);
        int descriptor = Libc.Open(path, Libc.ReadWrite | Libc.CloseOnExec);
        if (descriptor < 0)
        {
            throw new DeviceException("open", (Errno)Marshal.GetLastPInvokeError(), path);
        }

        try
        {
            long length = Libc.Seek(descriptor, 0, Libc.SeekEnd);
            void* start = length <= 0 ? (void*)-1 : Libc.Map(null, (nuint)length, Libc.ProtectReadWrite, Libc.MapShared, descriptor, 0);
            return (nint)start != -1
                ? new PreservedPiece((byte*)start, (nuint)length)
                : throw new DeviceException("mmap", (Errno)Marshal.GetLastPInvokeError(), $"{path}, {length} bytes");
        }
        finally
        {
            Libc.Close(descriptor);
        }
    }

    public void Dispose() => _ = Libc.Unmap(_start, _length);
}
