using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary><see cref="ITwinKernelDevice"/> over <c>/dev/twinkernel</c>: the only ioctl code towards the module.</summary>
internal sealed unsafe class TwinKernelDevice : ITwinKernelDevice, IDisposable
{
    private const int CpuRoom = 512;
    private const int RangeRoom = 64;
    private const int SlotRoom = 16;
    private readonly int _descriptor;

    private TwinKernelDevice(int descriptor) => _descriptor = descriptor;

    /// <summary>Opens the device.</summary>
    /// <exception cref="DeviceException">EPERM without CAP_SYS_ADMIN and CAP_SYS_BOOT or under lockdown; ENOENT or ENXIO without the module.</exception>
    public static TwinKernelDevice Open(string path)
    {
        int descriptor = Libc.Open(path, Libc.ReadWrite | Libc.CloseOnExec);
        return descriptor >= 0
            ? new TwinKernelDevice(descriptor)
            : throw new DeviceException("open", (Errno)Marshal.GetLastPInvokeError(), path);
    }

    public void Dispose() => Libc.Close(_descriptor);

    public MachineView Query()
    {
        Span<AbiCpu> cpus = new AbiCpu[CpuRoom];
        Span<AbiRange> ranges = stackalloc AbiRange[RangeRoom];
        AbiQuery query = default;
        fixed (AbiCpu* cpu = cpus)
        fixed (AbiRange* range = ranges)
        {
            query.Size = (uint)sizeof(AbiQuery);
            query.CpuCapacity = CpuRoom;
            query.Cpus = (ulong)cpu;
            query.RangeCapacity = RangeRoom;
            query.Ranges = (ulong)range;
            Ask(Abi.IocQuery, ref query, "QUERY", "");
        }

        MachineCpu[] seenCpus = new MachineCpu[Math.Min(query.CpuCount, CpuRoom)];
        for (int i = 0; i < seenCpus.Length; i++)
        {
            AbiCpu cpu = cpus[i];
            seenCpus[i] = new MachineCpu(cpu.Cpu, cpu.ApicId, (cpu.Flags & Abi.CpuOnline) != 0,
                (cpu.Flags & Abi.CpuInstance) != 0 ? cpu.Instance : 0, (cpu.Flags & Abi.CpuMachineBoot) != 0);
        }

        MachineRange[] seenRanges = new MachineRange[Math.Min(query.RangeCount, RangeRoom)];
        for (int i = 0; i < seenRanges.Length; i++)
        {
            AbiRange range = ranges[i];
            seenRanges[i] = new MachineRange(range.Start, range.Size, (range.Flags & Abi.RangeOwned) != 0, (range.Flags & Abi.RangeReserved) != 0, range.Node);
        }

        return new MachineView
        {
            AbiVersion = query.AbiVersion,
            HasParent = (query.Flags & Abi.QueryHasParent) != 0,
            ParentParked = (query.Flags & Abi.QueryParentParked) != 0,
            TwinBooted = (query.Flags & Abi.QueryTwinBooted) != 0,
            IpiShorthand = (query.Flags & Abi.QueryIpiShorthand) != 0,
            TscKhz = query.TscKhz,
            MemoryBlockBytes = query.MemoryBlockBytes,
            Cpus = seenCpus,
            Ranges = seenRanges,
            EcamBase = query.EcamBase,
            EcamBusFirst = query.EcamBusFirst,
            EcamBusLast = query.EcamBusLast,
            Control = query.Control,
        };
    }

    public ClaimedSlot ClaimSlot(ulong start, ulong bytes)
    {
        AbiClaimSlot claim = new() { Size = (uint)sizeof(AbiClaimSlot), Start = start, Bytes = bytes };
        Ask(Abi.IocClaimSlot, ref claim, "CLAIM_SLOT", $"0x{start:x}+0x{bytes:x}");
        return new ClaimedSlot(claim.Slot, claim.Start, claim.Bytes, claim.LowStart, claim.LowSize, (claim.Flags & Abi.SlotBootReserved) != 0, 0);
    }

    public void ReleaseSlot(uint slot)
    {
        AbiReleaseSlot release = new() { Size = (uint)sizeof(AbiReleaseSlot), Slot = slot };
        Ask(Abi.IocReleaseSlot, ref release, "RELEASE_SLOT", $"{slot}");
    }

    public IReadOnlyList<ClaimedSlot> Slots()
    {
        Span<AbiSlot> room = stackalloc AbiSlot[SlotRoom];
        AbiSlots slots = new() { Size = (uint)sizeof(AbiSlots), Capacity = SlotRoom };
        fixed (AbiSlot* first = room)
        {
            slots.Slots = (ulong)first;
            Ask(Abi.IocSlots, ref slots, "SLOTS", "");
        }

        ClaimedSlot[] seen = new ClaimedSlot[Math.Min(slots.Count, SlotRoom)];
        for (int i = 0; i < seen.Length; i++)
        {
            AbiSlot slot = room[i];
            seen[i] = new ClaimedSlot(slot.Slot, slot.Start, slot.Bytes, slot.LowStart, slot.LowSize, (slot.Flags & Abi.SlotBootReserved) != 0, slot.Instance);
        }

        return seen;
    }

    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        ulong page = address & ~0xffful;
        nuint length = (nuint)((address - page + (ulong)bytes.Length + 0xfff) & ~0xffful);
        void* mapping = Libc.Map(null, length, Libc.ProtectReadWrite, Libc.MapShared, _descriptor, (nint)page);
        if ((nint)mapping == -1)
        {
            throw new DeviceException("mmap", (Errno)Marshal.GetLastPInvokeError(), $"0x{page:x}+0x{length:x}");
        }

        bytes.CopyTo(new Span<byte>((byte*)mapping + (address - page), bytes.Length));
        if (Libc.Unmap(mapping, length) != 0)
        {
            throw new DeviceException("munmap", (Errno)Marshal.GetLastPInvokeError(), $"0x{page:x}+0x{length:x}");
        }
    }

    public uint Launch(uint slot, uint cpu, LaunchAddresses addresses, string imageId)
    {
        AbiLaunch launch = new()
        {
            Size = (uint)sizeof(AbiLaunch),
            Slot = slot,
            Cpu = cpu,
            Entry = addresses.Entry,
            BootParams = addresses.BootParams,
            PageTable = addresses.PageTable,
            Control = addresses.Control,
            Link = addresses.Link,
            LinkBytes = BootImage.BootPlanner.LinkBytes,
        };
        Encoding.ASCII.GetBytes(imageId, launch.ImageId);
        Ask(Abi.IocLaunch, ref launch, "LAUNCH", $"slot {slot} on CPU {cpu}");
        return launch.Instance;
    }

    public bool Stop(uint instance)
    {
        AbiStop stop = new() { Size = (uint)sizeof(AbiStop), Instance = instance };
        return Ask(Abi.IocStop, ref stop, "STOP", $"{instance}", Errno.ENOENT) == Errno.None;
    }

    public IReadOnlyList<RunningInstance> Instances()
    {
        Span<AbiInstance> room = stackalloc AbiInstance[SlotRoom];
        AbiInstances instances = new() { Size = (uint)sizeof(AbiInstances), Capacity = SlotRoom };
        fixed (AbiInstance* first = room)
        {
            instances.Instances = (ulong)first;
            Ask(Abi.IocInstances, ref instances, "INSTANCES", "");
        }

        RunningInstance[] seen = new RunningInstance[Math.Min(instances.Count, SlotRoom)];
        for (int i = 0; i < seen.Length; i++)
        {
            AbiInstance instance = room[i];
            seen[i] = new RunningInstance(instance.Instance, instance.Slot, (InstanceState)instance.State, instance.CpuCount, instance.Beat,
                TimeSpan.FromTicks((long)Math.Min(instance.BeatAgeNs / 100, long.MaxValue)), Text(instance.Release));
        }

        return seen;
    }

    public void GiveCpu(uint instance, uint cpu)
    {
        AbiGiveCpu give = new() { Size = (uint)sizeof(AbiGiveCpu), Instance = instance, Cpu = cpu };
        Ask(Abi.IocGiveCpu, ref give, "GIVE_CPU", $"CPU {cpu} to instance {instance}");
    }

    public void GiveFunction(uint instance, PciFunction function)
    {
        AbiGiveFunction give = new()
        {
            Size = (uint)sizeof(AbiGiveFunction),
            Instance = instance,
            Function = new AbiFunction { Bus = function.Bus, Devfn = function.Devfn },
        };
        Ask(Abi.IocGiveFunction, ref give, "GIVE_FUNCTION", $"{function} to instance {instance}", Errno.EEXIST);
    }

    public void GiveMemory(uint instance, ulong start, ulong bytes)
    {
        AbiGiveMemory give = new() { Size = (uint)sizeof(AbiGiveMemory), Instance = instance, Start = start, Bytes = bytes };
        Ask(Abi.IocGiveMemory, ref give, "GIVE_MEMORY", $"0x{start:x}+0x{bytes:x} to instance {instance}", Errno.EEXIST);
    }

    public void TakeMemory(uint instance, ulong start, ulong bytes)
    {
        AbiGiveMemory take = new() { Size = (uint)sizeof(AbiGiveMemory), Instance = instance, Start = start, Bytes = bytes };
        Ask(Abi.IocTakeMemory, ref take, "TAKE_MEMORY", $"0x{start:x}+0x{bytes:x} from instance {instance}");
    }

    public void Send(uint instance, ReadOnlySpan<byte> message)
    {
        fixed (byte* data = message)
        {
            AbiMessage request = new() { Size = (uint)sizeof(AbiMessage), Instance = instance, Bytes = (uint)message.Length, Data = (ulong)data };
            Ask(Abi.IocSend, ref request, "SEND", $"{message.Length} bytes to instance {instance}");
        }
    }

    public byte[]? Receive(uint instance, TimeSpan timeout)
    {
        byte[] room = new byte[Abi.MessageMax];
        long started = Stopwatch.GetTimestamp();
        fixed (byte* data = room)
        {
            while (true)
            {
                AbiMessage request = new()
                {
                    Size = (uint)sizeof(AbiMessage),
                    Instance = instance,
                    TimeoutMs = Remaining(timeout, started),
                    Bytes = (uint)room.Length,
                    Data = (ulong)data,
                };
                switch (Ask(Abi.IocReceive, ref request, "RECEIVE", $"from instance {instance}", Errno.ETIMEDOUT, Errno.EINTR))
                {
                    case Errno.None:
                        return room[..(int)request.Bytes];
                    case Errno.ETIMEDOUT:
                        return null;
                }
            }
        }
    }

    public void Arm(uint instance, ReadOnlySpan<PciFunction> functions)
    {
        CheckCount("ARM", functions);
        AbiArm arm = new() { Size = (uint)sizeof(AbiArm), Instance = instance, FunctionCount = (uint)functions.Length };
        Fill(ref arm.Functions, functions);
        Ask(Abi.IocArm, ref arm, "ARM", $"for instance {instance}");
    }

    public ParkResult Park(uint instance, TimeSpan patience, ReadOnlySpan<PciFunction> functions)
    {
        CheckCount("PARK", functions);
        AbiPark park = new()
        {
            Size = (uint)sizeof(AbiPark),
            Instance = instance,
            PatienceMs = (uint)patience.TotalMilliseconds,
            FunctionCount = (uint)functions.Length,
        };
        Fill(ref park.Functions, functions);
        Ask(Abi.IocPark, ref park, "PARK", $"for instance {instance}");
        return new ParkResult((ParkEnd)park.End, TimeSpan.FromTicks((long)(park.ParkedNs / 100)));
    }

    public void Ready()
    {
        AbiReady ready = new() { Size = (uint)sizeof(AbiReady) };
        Ask(Abi.IocReady, ref ready, "READY", "");
    }

    public TimeSpan? WaitParked(TimeSpan timeout)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            AbiWaitParked wait = new() { Size = (uint)sizeof(AbiWaitParked), TimeoutMs = Remaining(timeout, started) };
            switch (Ask(Abi.IocWaitParked, ref wait, "WAIT_PARKED", "", Errno.ETIMEDOUT, Errno.EINTR))
            {
                case Errno.None:
                    return TimeSpan.FromTicks((long)(wait.ParkedAgeNs / 100));
                case Errno.ETIMEDOUT:
                    return null;
            }
        }
    }

    public IReadOnlyList<TcpConnection> Connections()
    {
        Span<AbiConnection> room = new AbiConnection[Abi.MaxConnections];
        AbiConnections connections = new() { Size = (uint)sizeof(AbiConnections), Capacity = Abi.MaxConnections };
        fixed (AbiConnection* first = room)
        {
            connections.Connections = (ulong)first;
            Ask(Abi.IocConnections, ref connections, "CONNECTIONS", "");
        }

        List<TcpConnection> found = [];
        foreach (AbiConnection each in room[..(int)Math.Min(connections.Count, Abi.MaxConnections)])
        {
            found.Add(new TcpConnection(Address(each.Local), Port(each.LocalPort), Address(each.Remote), Port(each.RemotePort)));
        }

        return found;

        static IPAddress Address(uint inNetworkOrder) => new(inNetworkOrder);
        static ushort Port(ushort inNetworkOrder) => BinaryPrimitives.ReverseEndianness(inNetworkOrder);
    }

    public void AdoptFunction(PciFunction function)
    {
        AbiAdoptFunction adopt = new()
        {
            Size = (uint)sizeof(AbiAdoptFunction),
            Function = new AbiFunction { Bus = function.Bus, Devfn = function.Devfn },
        };
        Ask(Abi.IocAdoptFunction, ref adopt, "ADOPT_FUNCTION", $"{function}", Errno.EEXIST);
    }

    public void Return()
    {
        AbiReturn request = new() { Size = (uint)sizeof(AbiReturn) };
        Ask(Abi.IocReturn, ref request, "RETURN", "");
    }

    public uint Commit()
    {
        AbiCommit commit = new() { Size = (uint)sizeof(AbiCommit) };
        Ask(Abi.IocCommit, ref commit, "COMMIT", "");
        return commit.CpusOnline;
    }

    public bool AdoptMemory(ulong start, ulong bytes)
    {
        AbiAdoptMemory adopt = new() { Size = (uint)sizeof(AbiAdoptMemory), Start = start, Bytes = bytes };
        return Ask(Abi.IocAdoptMemory, ref adopt, "ADOPT_MEMORY", $"0x{start:x}+0x{bytes:x}", Errno.EEXIST) == Errno.None;
    }

    public void PreserveMemory(ulong start, ulong bytes)
    {
        AbiPreserveMemory memory = new() { Size = (uint)sizeof(AbiPreserveMemory), Start = start, Bytes = bytes };
        Ask(Abi.IocPreserveMemory, ref memory, "PRESERVE_MEMORY", $"0x{start:x}+0x{bytes:x}");
    }

    public void Preserve(string name, ulong bytes)
    {
        AbiPreserve preserve = new() { Size = (uint)sizeof(AbiPreserve), Bytes = bytes };
        if (!Encoding.ASCII.TryGetBytes(name, preserve.Name, out _))
        {
            throw new DeviceException("PRESERVE", Errno.EINVAL, name);
        }

        Ask(Abi.IocPreserve, ref preserve, "PRESERVE", $"{name}, {bytes} bytes");
    }

    public IReadOnlyList<PieceOfMemory> Preserved()
    {
        Span<AbiPreservedPiece> room = new AbiPreservedPiece[Abi.MaxPreserved];
        AbiPreserved preserved = new() { Size = (uint)sizeof(AbiPreserved), Capacity = Abi.MaxPreserved };
        fixed (AbiPreservedPiece* first = room)
        {
            preserved.Pieces = (ulong)first;
            Ask(Abi.IocPreserved, ref preserved, "PRESERVED", "");
        }

        PieceOfMemory[] seen = new PieceOfMemory[Math.Min(preserved.Count, Abi.MaxPreserved)];
        for (int i = 0; i < seen.Length; i++)
        {
            seen[i] = new PieceOfMemory(Text(room[i].Name), room[i].Start, room[i].Bytes);
        }

        return seen;
    }

    private static uint Remaining(TimeSpan timeout, long started) =>
        (uint)Math.Clamp((timeout - Stopwatch.GetElapsedTime(started)).TotalMilliseconds, 0, 60_000);

    private static void CheckCount(string request, ReadOnlySpan<PciFunction> functions)
    {
        if (functions.Length > Abi.ParkMaxFunctions)
        {
            throw new DeviceException(request, Errno.EINVAL, $"with {functions.Length} functions, at most {Abi.ParkMaxFunctions} are possible,");
        }
    }

    private static void Fill(ref AbiFunctions target, ReadOnlySpan<PciFunction> functions)
    {
        for (int i = 0; i < functions.Length; i++)
        {
            target[i] = new AbiFunction { Bus = functions[i].Bus, Devfn = functions[i].Devfn };
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? bytes : bytes[..end]);
    }

    /// <summary>Returns None or one of <paramref name="expected"/>; any other errno is thrown.</summary>
    private Errno Ask<T>(byte number, ref T argument, string name, string detail, params ReadOnlySpan<Errno> expected) where T : unmanaged
    {
        fixed (T* pointer = &argument)
        {
            if (Libc.Ioctl(_descriptor, Abi.Request<T>(number), pointer) >= 0)
            {
                return Errno.None;
            }
        }

        Errno errno = (Errno)Marshal.GetLastPInvokeError();
        foreach (Errno known in expected)
        {
            if (known == errno)
            {
                return errno;
            }
        }

        throw new DeviceException(name, errno, detail);
    }
}
