using System.Net;

namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>One present CPU as the module sees it.</summary>
/// <param name="Number">Logical number in this kernel.</param>
/// <param name="ApicId">Physical APIC id, the same in every kernel of the machine.</param>
/// <param name="Online">It runs this kernel.</param>
/// <param name="Instance">Instance that it was given to; 0: none.</param>
/// <param name="MachineBoot">It is the machine's boot processor.</param>
public readonly record struct MachineCpu(uint Number, uint ApicId, bool Online, uint Instance, bool MachineBoot);

/// <summary>A piece of the machine's memory.</summary>
/// <param name="Start">Physical address.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Owned">It is this kernel's System RAM.</param>
/// <param name="Reserved">It is in this kernel's memory map, held back until adopted.</param>
/// <param name="Node">Its NUMA node.</param>
public readonly record struct MachineRange(ulong Start, ulong Size, bool Owned, bool Reserved, uint Node = 0)
{
    /// <summary>First address behind the range.</summary>
    public ulong End => Start + Size;
}

/// <summary>What TWINKERNEL_IOC_QUERY tells.</summary>
public sealed record MachineView
{
    public required uint AbiVersion { get; init; }
    public required bool HasParent { get; init; }
    public required bool ParentParked { get; init; }
    public required bool TwinBooted { get; init; }
    public required bool IpiShorthand { get; init; }
    public required uint TscKhz { get; init; }

    /// <summary>Granularity of memory hotplug, bytes.</summary>
    public required ulong MemoryBlockBytes { get; init; }
    public required IReadOnlyList<MachineCpu> Cpus { get; init; }
    public required IReadOnlyList<MachineRange> Ranges { get; init; }

    /// <summary>PCI Express configuration space of segment 0; 0: none known.</summary>
    public required ulong EcamBase { get; init; }
    public required uint EcamBusFirst { get; init; }
    public required uint EcamBusLast { get; init; }

    /// <summary>Control block shared with the parent; 0: none.</summary>
    public required ulong Control { get; init; }
}

/// <summary>A claimed slot. <see cref="Instance"/> is 0 when none runs in it.</summary>
public readonly record struct ClaimedSlot(uint Id, ulong Start, ulong Bytes, ulong LowStart, ulong LowSize, bool BootReserved, uint Instance);

/// <summary>A preserved piece: its physical address and length.</summary>
public readonly record struct PieceOfMemory(string Name, ulong Start, ulong Bytes);

/// <summary>States of an instance, numbered as in the header.</summary>
public enum InstanceState
{
    None = 0,
    Launched = 1,
    Alive = 2,
    Ready = 3,
    Serving = 4,
    Panicked = 5,
}

/// <summary>A kernel that this one launched. <see cref="BeatAge"/> is on this kernel's clock.</summary>
public readonly record struct RunningInstance(uint Id, uint Slot, InstanceState State, uint CpuCount, ulong Beat, TimeSpan BeatAge, string Release);

/// <summary>A PCI function of segment 0; <see cref="Devfn"/> is device times 8 plus function.</summary>
public readonly record struct PciFunction(uint Bus, uint Devfn)
{
    /// <summary>As sysfs writes it: <c>0000:00:02.0</c>.</summary>
    public override string ToString() => $"0000:{Bus:x2}:{Devfn >> 3:x2}.{Devfn & 7:x}";

    /// <summary>Reads the form of sysfs; segments other than 0 are not addresses of this machine's twin boot: false.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out PciFunction function)
    {
        function = default;
        if (text.Length != 12 || !text.StartsWith("0000:") || text[7] != ':' || text[10] != '.'
            || !uint.TryParse(text[5..7], System.Globalization.NumberStyles.AllowHexSpecifier, null, out uint bus)
            || !uint.TryParse(text[8..10], System.Globalization.NumberStyles.AllowHexSpecifier, null, out uint device)
            || device > 31 || text[11] is < '0' or > '7')
        {
            return false;
        }

        function = new PciFunction(bus, device << 3 | (uint)(text[11] - '0'));
        return true;
    }
}

/// <summary>A TCP connection over IPv4 that a kernel had with another host.</summary>
public readonly record struct TcpConnection(IPAddress Local, ushort LocalPort, IPAddress Remote, ushort RemotePort);

/// <summary>Where an instance begins. All physical addresses inside its slot; <see cref="Link"/> is <c>BootPlanner.LinkBytes</c> long.</summary>
public readonly record struct LaunchAddresses(ulong Entry, ulong BootParams, ulong PageTable, ulong Control, ulong Link);

/// <summary>Why the parked kernel goes on, numbered as in the header.</summary>
public enum ParkEnd
{
    None = 0,
    Silent = 1,
    Panicked = 2,
    Returned = 3,
    Corrupt = 4,
}

/// <summary>How a park ended. <see cref="Parked"/> is on this kernel's clock.</summary>
public readonly record struct ParkResult(ParkEnd End, TimeSpan Parked);
