using System.Runtime.InteropServices;
using TwinKernel.Fleet.GuestAgent.Probation;

namespace TwinKernel.Fleet.GuestAgent.Tests.Probation;

/// <summary>A journal in memory that two can look at, as two kernels do.</summary>
internal sealed unsafe class MappedJournal : IDisposable
{
    private readonly byte* _memory;

    public MappedJournal(int bytes = 1 << 20)
    {
        Bytes = bytes;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        Memory.Clear();
        Journal = new WriteJournal(_memory, bytes);
    }

    public int Bytes { get; }

    public WriteJournal Journal { get; }

    public Span<byte> Memory => new(_memory, Bytes);

    /// <summary>What the other kernel, or an agent that was started again, sees.</summary>
    public WriteJournal Again() => new(_memory, Bytes);

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
