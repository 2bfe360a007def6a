using System.Globalization;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Twin;

namespace TwinKernel.Fleet.GuestAgent.Tests.Fakes;

/// <summary>A model of the module over a <see cref="FakeGuest"/>: the refusals that its header documents, slots, instances, mailbox, parking.</summary>
public sealed class FakeDevice : ITwinKernelDevice
{
    private readonly FakeGuest _guest;
    private readonly List<ClaimedSlot> _slots = [];
    private readonly List<RunningInstance> _instances = [];
    private readonly Dictionary<uint, uint> _givenCpus = [];
    private readonly Dictionary<PciFunction, uint> _givenFunctions = [];
    private readonly Dictionary<ulong, (uint Instance, ulong Bytes)> _givenMemory = [];
    private readonly Queue<byte[]> _answers = [];
    private readonly List<PieceOfMemory> _preserved = [];
    private readonly ManualTime _time;
    private uint _nextId;

    internal FakeDevice(FakeGuest guest, ManualTime time)
    {
        (_guest, _time) = (guest, time);
        _guest.OnWrite = Notice;
    }

    /// <summary>The next call of the request fails with the errno, once for each entry.</summary>
    public Queue<(string Request, Errno Errno)> Failures { get; } = [];

    /// <summary>Runs in front of every request.</summary>
    public Action? BeforeCall { get; set; }

    public List<string> Calls { get; } = [];

    public List<(ulong Address, byte[] Bytes)> Written { get; } = [];

    public bool HasParent { get; set; }

    public bool ParentParked { get; set; }

    public bool TwinBooted { get; set; }

    public bool IpiShorthand { get; set; }

    public uint AbiVersion { get; set; } = Abi.Version;

    public ulong Ecam { get; set; } = 0xb000_0000;

    public ulong Control { get; set; }

    /// <summary>What PRESERVE_MEMORY gave.</summary>
    public List<(ulong Start, ulong Bytes)> PreservedSpans { get; } = [];

    public List<MachineRange> Ranges { get; } =
    [
        new(0x1000, 0x9e000, Owned: true, Reserved: false),
        new(0x10_0000, (16 * FakeGuest.BlockBytes) - 0x10_0000 - 0x24000, Owned: true, Reserved: false),
    ];

    /// <summary>What the agent in kernel B answers; null: nothing.</summary>
    internal Func<LinkMessage, LinkMessage?> Peer { get; set; } = question => new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Done };

    /// <summary>Asked of kernel B's agent, in order.</summary>
    internal List<LinkMessage> Asked { get; } = [];

    /// <summary>What happens while this kernel is parked.</summary>
    public Func<ParkResult> OnPark { get; set; } = () => new ParkResult(ParkEnd.Silent, TimeSpan.FromMilliseconds(300));

    /// <summary>What the state of an instance is when it is looked at the n-th time.</summary>
    public Func<int, InstanceState> StateOfInstance { get; set; } = _ => InstanceState.Ready;

    private int _looks;

    public MachineView Query()
    {
        Called("QUERY");
        return new MachineView
        {
            AbiVersion = AbiVersion,
            HasParent = HasParent,
            ParentParked = ParentParked,
            TwinBooted = TwinBooted,
            IpiShorthand = IpiShorthand,
            TscKhz = 2_000_000,
            MemoryBlockBytes = FakeGuest.BlockBytes,
            Cpus = [.. new CpuSwitch(_guest).Present().Select(cpu => new MachineCpu(cpu, cpu, _guest.IsCpuOnline(cpu), _givenCpus.GetValueOrDefault(cpu), cpu == 0))],
            Ranges = [.. Ranges],
            EcamBase = Ecam,
            EcamBusFirst = 0,
            EcamBusLast = 255,
            Control = Control,
        };
    }

    public ClaimedSlot ClaimSlot(ulong start, ulong bytes)
    {
        Called("CLAIM_SLOT");
        bool bootReserved = _guest.TryRead("/sys/module/twinkernel/parameters/reserved") is not null;
        for (ulong at = start; at < start + bytes && !bootReserved; at += FakeGuest.BlockBytes)
        {
            if (_guest.IsOnline((uint)(at / FakeGuest.BlockBytes)))
            {
                throw new DeviceException("CLAIM_SLOT", Errno.EBUSY, $"0x{start:x}");
            }
        }

        ClaimedSlot slot = new(++_nextId, start, bytes, 0x10000, 0x10000, bootReserved, 0);
        _slots.Add(slot);
        return slot;
    }

    public void ReleaseSlot(uint slot)
    {
        Called("RELEASE_SLOT");
        int index = _slots.FindIndex(known => known.Id == slot);
        if (index < 0 || _instances.Exists(instance => instance.Slot == slot))
        {
            throw new DeviceException("RELEASE_SLOT", index < 0 ? Errno.ENOENT : Errno.EBUSY, $"{slot}");
        }

        _slots.RemoveAt(index);
    }

    public IReadOnlyList<ClaimedSlot> Slots() => [.. _slots];

    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        Called("WRITE");
        Written.Add((address, bytes.ToArray()));
    }

    public uint Launch(uint slot, uint cpu, LaunchAddresses addresses, string imageId)
    {
        Called("LAUNCH");
        if (_guest.IsCpuOnline(cpu) || _instances.Exists(instance => instance.Slot == slot))
        {
            throw new DeviceException("LAUNCH", Errno.EBUSY, $"slot {slot}");
        }

        _instances.Add(new RunningInstance(++_nextId, slot, InstanceState.Launched, 1, 0, TimeSpan.Zero, ""));
        _givenCpus[cpu] = _nextId;
        return _nextId;
    }

    public bool Stop(uint instance)
    {
        Called("STOP");
        foreach (uint cpu in _givenCpus.Where(given => given.Value == instance).Select(given => given.Key).ToArray())
        {
            _givenCpus.Remove(cpu);
        }

        foreach (PciFunction function in _givenFunctions.Where(given => given.Value == instance).Select(given => given.Key).ToArray())
        {
            _givenFunctions.Remove(function);
            _guest.BindCard(function);
        }

        foreach (ulong start in _givenMemory.Where(given => given.Value.Instance == instance).Select(given => given.Key).ToArray())
        {
            _givenMemory.Remove(start);
        }

        return _instances.RemoveAll(known => known.Id == instance) > 0;
    }

    public IReadOnlyList<RunningInstance> Instances() =>
        [.. _instances.Select(instance => instance with { State = StateOfInstance(_looks++), Release = "6.12.0-test" })];

    public void GiveCpu(uint instance, uint cpu)
    {
        Called("GIVE_CPU");
        _givenCpus[cpu] = instance;
    }

    public void GiveFunction(uint instance, PciFunction function)
    {
        Called($"GIVE_FUNCTION {function}");
        if (_guest.Exists($"/sys/bus/pci/devices/{function}/driver") && !_givenFunctions.ContainsKey(function))
        {
            throw new DeviceException("GIVE_FUNCTION", Errno.EBUSY, $"{function}");
        }

        _givenFunctions[function] = instance;
    }

    public void GiveMemory(uint instance, ulong start, ulong bytes)
    {
        Called($"GIVE_MEMORY {start / FakeGuest.BlockBytes}");
        if (_guest.IsOnline((uint)(start / FakeGuest.BlockBytes)))
        {
            throw new DeviceException("GIVE_MEMORY", Errno.EBUSY, $"0x{start:x}");
        }

        _givenMemory[start] = (instance, bytes);
    }

    public void TakeMemory(uint instance, ulong start, ulong bytes)
    {
        Called($"TAKE_MEMORY {start / FakeGuest.BlockBytes}");
        if (!_givenMemory.Remove(start))
        {
            throw new DeviceException("TAKE_MEMORY", Errno.ENOENT, $"0x{start:x}");
        }
    }

    public void Send(uint instance, ReadOnlySpan<byte> message)
    {
        Called("SEND");
        LinkMessage question = TwinLink.Read(message) ?? throw new InvalidOperationException("Not a message.");
        Asked.Add(question);
        if (Peer(question) is { } answer)
        {
            _answers.Enqueue(TwinLink.Write(answer));
        }
    }

    public byte[]? Receive(uint instance, TimeSpan timeout)
    {
        Called("RECEIVE");
        if (_answers.TryDequeue(out byte[]? answer))
        {
            return answer;
        }

        _time.Pass(timeout);
        return null;
    }

    public void Arm(uint instance, ReadOnlySpan<PciFunction> functions) => Called($"ARM {string.Join(' ', functions.ToArray())}");

    public ParkResult Park(uint instance, TimeSpan patience, ReadOnlySpan<PciFunction> functions)
    {
        Called($"PARK {string.Join(' ', functions.ToArray())} {patience.TotalMilliseconds.ToString(CultureInfo.InvariantCulture)}");
        ParkResult result = OnPark();
        Stop(instance);
        return result;
    }

    public void Ready() => Called("READY");

    public TimeSpan? WaitParked(TimeSpan timeout)
    {
        Called("WAIT_PARKED");
        return ParentParked ? TimeSpan.FromMilliseconds(1) : null;
    }

    /// <summary>What a parked parent had.</summary>
    public IReadOnlyList<TcpConnection> OfParent { get; set; } = [];

    public IReadOnlyList<TcpConnection> Connections() => OfParent;

    public void AdoptFunction(PciFunction function) => Called($"ADOPT_FUNCTION {function}");

    public void Return() => Called("RETURN");

    public uint Commit()
    {
        Called("COMMIT");
        foreach (uint cpu in new CpuSwitch(_guest).Present().Where(cpu => !_guest.IsCpuOnline(cpu)))
        {
            _guest.Put($"/sys/devices/system/cpu/cpu{cpu}/online", "1\n");
        }

        HasParent = false;
        return (uint)new CpuSwitch(_guest).Present().Count;
    }

    public void PreserveMemory(ulong start, ulong bytes)
    {
        Called("PRESERVE_MEMORY");
        for (ulong at = start; at < start + bytes; at += FakeGuest.BlockBytes)
        {
            if (_guest.IsOnline((uint)(at / FakeGuest.BlockBytes)))
            {
                throw new DeviceException("PRESERVE_MEMORY", Errno.EBUSY, $"0x{start:x}");
            }
        }

        int index = Ranges.FindIndex(range => range.Start <= start && start + bytes <= range.End);
        MachineRange cut = index < 0 ? throw new DeviceException("PRESERVE_MEMORY", Errno.EINVAL, $"0x{start:x}") : Ranges[index];
        Ranges.RemoveAt(index);
        Ranges.InsertRange(index, new[] { cut with { Size = start - cut.Start }, cut with { Start = start + bytes, Size = cut.End - start - bytes } }.Where(range => range.Size > 0));
        PreservedSpans.Add((start, bytes));
    }

    public void Preserve(string name, ulong bytes)
    {
        Called($"PRESERVE {name}");
        if (_preserved.Find(piece => piece.Name == name) is { Bytes: > 0 } known)
        {
            if (known.Bytes != bytes)
            {
                throw new DeviceException("PRESERVE", Errno.EEXIST, name);
            }

            return;
        }

        if (HasParent || _instances.Count > 0)
        {
            throw new DeviceException("PRESERVE", HasParent ? Errno.EAGAIN : Errno.EBUSY, name);
        }

        foreach ((ulong start, ulong span) in PreservedSpans)
        {
            ulong free = _preserved.Where(piece => piece.Start >= start && piece.Start < start + span).Select(piece => piece.Start + piece.Bytes).Append(start).Max();
            if (start + span - free >= bytes)
            {
                _preserved.Add(new PieceOfMemory(name, free, bytes));
                return;
            }
        }

        throw new DeviceException("PRESERVE", Errno.ENOSPC, name);
    }

    public IReadOnlyList<PieceOfMemory> Preserved() => [.. _preserved];

    public bool AdoptMemory(ulong start, ulong bytes)
    {
        Called($"ADOPT_MEMORY 0x{start:x}+0x{bytes:x}");
        int index = Ranges.FindIndex(range => range.Start <= start && start + bytes <= range.End);
        MachineRange range = index < 0 ? throw new DeviceException("ADOPT_MEMORY", Errno.EINVAL, $"0x{start:x}") : Ranges[index];
        if (range.Owned)
        {
            return false;
        }

        if (range.Reserved ? range.Start != start || range.Size != bytes : start % FakeGuest.BlockBytes != 0 || bytes % FakeGuest.BlockBytes != 0)
        {
            throw new DeviceException("ADOPT_MEMORY", Errno.EINVAL, $"0x{start:x}");
        }

        MachineRange[] pieces =
        [
            range with { Size = start - range.Start },
            new MachineRange(start, bytes, Owned: true, Reserved: false),
            range with { Start = start + bytes, Size = range.End - start - bytes },
        ];
        Ranges.RemoveAt(index);
        Ranges.InsertRange(index, pieces.Where(piece => piece.Size > 0));
        for (ulong at = start; !range.Reserved && at < start + bytes; at += FakeGuest.BlockBytes)
        {
            _guest.AddBlock((uint)(at / FakeGuest.BlockBytes), online: false);
        }

        return true;
    }

    private void Called(string call)
    {
        BeforeCall?.Invoke();
        Calls.Add(call);
        if (Failures.TryPeek(out (string Request, Errno Errno) failure) && call.StartsWith(failure.Request, StringComparison.Ordinal))
        {
            Failures.Dequeue();
            throw new DeviceException(failure.Request, failure.Errno, "(as the test wants it)");
        }
    }

    /// <summary>Blocks of a claimed slot and CPUs of an instance refuse to go online.</summary>
    private void Notice(string path, string value)
    {
        string name = path.Split('/')[^2];
        if (path.EndsWith("/state", StringComparison.Ordinal) && value.StartsWith("online", StringComparison.Ordinal))
        {
            ulong at = ulong.Parse(name.AsSpan(6), CultureInfo.InvariantCulture) * FakeGuest.BlockBytes;
            if (_slots.Exists(slot => at >= slot.Start && at < slot.Start + slot.Bytes) || _givenMemory.ContainsKey(at))
            {
                throw new IOException($"'{value}' to {path}: Device or resource busy (slot)");
            }
        }

        if (path.EndsWith("/online", StringComparison.Ordinal) && value == "1" && _givenCpus.ContainsKey(uint.Parse(name.AsSpan(3), CultureInfo.InvariantCulture)))
        {
            throw new IOException($"'{value}' to {path}: Device or resource busy (instance)");
        }
    }
}
