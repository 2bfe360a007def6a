using System.Runtime.InteropServices;

namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>Descriptors that a thread waits for together, with a deadline in nanoseconds: what <c>Socket.Select</c> rounds to milliseconds.</summary>
internal sealed class PollSet
{
    private const short Input = 1;
    private const short Output = 4;
    private Entry[] _entries = new Entry[16];
    private int[] _tokens = new int[16];
    private int _count;

    public void Clear() => _count = 0;

    public void Add(nint descriptor, bool toWrite, int token)
    {
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, _count * 2);
            Array.Resize(ref _tokens, _count * 2);
        }

        _entries[_count] = new Entry { Descriptor = (int)descriptor, Events = toWrite ? (short)(Input | Output) : Input };
        _tokens[_count++] = token;
    }

    /// <summary>Waits until one is ready, or so many nanoseconds have passed; then tells each that is.</summary>
    public void Wait(long nanoseconds, Action<int> ready)
    {
        nanoseconds = Math.Max(0, nanoseconds);
        Timespec timeout = new() { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        int left = Poll(ref _entries[0], (nuint)_count, in timeout, IntPtr.Zero);
        for (int index = 0; index < _count && left > 0; index++)
        {
            if (_entries[index].Ready != 0)
            {
                left--;
                ready(_tokens[index]);
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Entry
    {
        public int Descriptor;
        public short Events;
        public short Ready;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [DllImport("libc", EntryPoint = "ppoll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Poll(ref Entry entries, nuint count, in Timespec timeout, IntPtr signals);
}
