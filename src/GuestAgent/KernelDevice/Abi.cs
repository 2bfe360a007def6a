using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>
/// <c>kernel/include/uapi/twinkernel.h</c> in C#: blittable mirrors with the C names' meanings and order. A test compiles the
/// header with gcc and compares every size and offset, so nothing is said twice here about what a member means.
/// </summary>
internal static class Abi
{
    public const uint Version = 1;
    public const int MessageMax = 16384;
    public const int ParkMaxFunctions = 8;
    public const int ImageIdBytes = 72;
    public const int PreservedNameBytes = 32;
    public const int MaxPreserved = 32;
    public const int MaxConnections = 1024;

    public const uint QueryHasParent = 1u << 0;
    public const uint QueryParentParked = 1u << 1;
    public const uint QueryTwinBooted = 1u << 2;
    public const uint QueryIpiShorthand = 1u << 3;
    public const uint CpuOnline = 1u << 0;
    public const uint CpuInstance = 1u << 1;
    public const uint CpuMachineBoot = 1u << 2;
    public const uint RangeOwned = 1u << 0;
    public const uint RangeReserved = 1u << 1;
    public const uint SlotBootReserved = 1u << 0;

    /// <summary><c>_IOWR(0xB7, number, size)</c> as x86 and arm64 encode it.</summary>
    public static uint Request<T>(byte number) where T : unmanaged => 3u << 30 | (uint)Unsafe.SizeOf<T>() << 16 | 0xB7u << 8 | number;

    public const byte IocQuery = 0x00;
    public const byte IocClaimSlot = 0x01;
    public const byte IocReleaseSlot = 0x02;
    public const byte IocSlots = 0x03;
    public const byte IocLaunch = 0x04;
    public const byte IocStop = 0x05;
    public const byte IocInstances = 0x06;
    public const byte IocGiveCpu = 0x07;
    public const byte IocSend = 0x08;
    public const byte IocReceive = 0x09;
    public const byte IocPark = 0x0a;
    public const byte IocReady = 0x0b;
    public const byte IocWaitParked = 0x0c;
    public const byte IocAdoptFunction = 0x0d;
    public const byte IocReturn = 0x0e;
    public const byte IocCommit = 0x0f;
    public const byte IocAdoptMemory = 0x10;
    public const byte IocArm = 0x11;
    public const byte IocGiveFunction = 0x12;
    public const byte IocTakeFunction = 0x13;
    public const byte IocReleaseFunction = 0x14;
    public const byte IocGiveMemory = 0x15;
    public const byte IocTakeMemory = 0x16;
    public const byte IocReleaseMemory = 0x17;
    public const byte IocConnections = 0x18;
    public const byte IocTakeCpu = 0x24;
    public const byte IocPreserveMemory = 0x28;
    public const byte IocPreserve = 0x29;
    public const byte IocPreserved = 0x2a;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiCpu
{
    public uint Cpu;
    public uint ApicId;
    public uint Flags;
    public uint Instance;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiRange
{
    public ulong Start;
    public ulong Size;
    public uint Flags;
    public uint Node;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiQuery
{
    public uint Size;
    public uint AbiVersion;
    public uint Flags;
    public uint TscKhz;
    public ulong MemoryBlockBytes;
    public uint CpuCapacity;
    public uint CpuCount;
    public ulong Cpus;
    public uint RangeCapacity;
    public uint RangeCount;
    public ulong Ranges;
    public ulong EcamBase;
    public uint EcamBusFirst;
    public uint EcamBusLast;
    public ulong Control;
    public ulong LowStart;
    public ulong LowSize;
    public ulong ParentBeat;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiClaimSlot
{
    public uint Size;
    public uint Slot;
    public ulong Start;
    public ulong Bytes;
    public ulong LowStart;
    public ulong LowSize;
    public uint Flags;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiReleaseSlot
{
    public uint Size;
    public uint Slot;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiSlot
{
    public uint Slot;
    public uint Flags;
    public ulong Start;
    public ulong Bytes;
    public ulong LowStart;
    public ulong LowSize;
    public uint Instance;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiSlots
{
    public uint Size;
    public uint Capacity;
    public uint Count;
    public uint Reserved;
    public ulong Slots;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiLaunch
{
    public uint Size;
    public uint Slot;
    public uint Cpu;
    public uint Instance;
    public ulong Entry;
    public ulong BootParams;
    public ulong PageTable;
    public ulong Control;
    public AbiImageId ImageId;
    public ulong Link;
    public ulong LinkBytes;
}

[InlineArray(Abi.ImageIdBytes)]
internal struct AbiImageId
{
    private byte _first;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiStop
{
    public uint Size;
    public uint Instance;
}

[InlineArray(64)]
internal struct AbiRelease
{
    private byte _first;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiInstance
{
    public uint Instance;
    public uint Slot;
    public uint State;
    public uint CpuCount;
    public ulong Beat;
    public ulong BeatAgeNs;
    public AbiRelease Release;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiInstances
{
    public uint Size;
    public uint Capacity;
    public uint Count;
    public uint Reserved;
    public ulong Instances;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiGiveCpu
{
    public uint Size;
    public uint Instance;
    public uint Cpu;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiGiveFunction
{
    public uint Size;
    public uint Instance;
    public AbiFunction Function;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiReleaseFunction
{
    public uint Size;
    public uint Reserved;
    public AbiFunction Function;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiGiveMemory
{
    public uint Size;
    public uint Instance;
    public ulong Start;
    public ulong Bytes;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiReleaseMemory
{
    public uint Size;
    public uint Reserved;
    public ulong Start;
    public ulong Bytes;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiMessage
{
    public uint Size;
    public uint Instance;
    public uint TimeoutMs;
    public uint Bytes;
    public ulong Data;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiFunction
{
    public uint Bus;
    public uint Devfn;
}

[InlineArray(Abi.ParkMaxFunctions)]
internal struct AbiFunctions
{
    private AbiFunction _first;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiPark
{
    public uint Size;
    public uint Instance;
    public uint PatienceMs;
    public uint End;
    public ulong ParkedNs;
    public uint FunctionCount;
    public uint Reserved;
    public AbiFunctions Functions;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiArm
{
    public uint Size;
    public uint Instance;
    public uint FunctionCount;
    public uint Reserved;
    public AbiFunctions Functions;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiReady
{
    public uint Size;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiWaitParked
{
    public uint Size;
    public uint TimeoutMs;
    public ulong ParkedAgeNs;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiConnection
{
    public uint Local;
    public uint Remote;
    public ushort LocalPort;
    public ushort RemotePort;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiConnections
{
    public uint Size;
    public uint Capacity;
    public uint Count;
    public uint Reserved;
    public ulong Connections;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiAdoptFunction
{
    public uint Size;
    public uint Reserved;
    public AbiFunction Function;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiReturn
{
    public uint Size;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiCommit
{
    public uint Size;
    public uint CpusOnline;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiAdoptMemory
{
    public uint Size;
    public uint Reserved;
    public ulong Start;
    public ulong Bytes;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiPreserveMemory
{
    public uint Size;
    public uint Reserved;
    public ulong Start;
    public ulong Bytes;
}

[InlineArray(Abi.PreservedNameBytes)]
internal struct AbiPreservedName
{
    private byte _first;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiPreserve
{
    public uint Size;
    public uint Reserved;
    public AbiPreservedName Name;
    public ulong Bytes;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiPreservedPiece
{
    public AbiPreservedName Name;
    public ulong Start;
    public ulong Bytes;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AbiPreserved
{
    public uint Size;
    public uint Capacity;
    public uint Count;
    public uint Reserved;
    public ulong Pieces;
    public ulong Bytes;
    public ulong LargestFree;
}
