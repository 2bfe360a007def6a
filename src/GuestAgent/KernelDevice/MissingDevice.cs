namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>Stands in when the module could not be loaded or opened: every request is refused with the reason, so that status and preflight can tell it.</summary>
internal sealed class MissingDevice(DeviceException reason) : ITwinKernelDevice
{
    public MachineView Query() => throw Refusal();

    public ClaimedSlot ClaimSlot(ulong start, ulong bytes) => throw Refusal();

    public void ReleaseSlot(uint slot) => throw Refusal();

    public IReadOnlyList<ClaimedSlot> Slots() => throw Refusal();

    public void Write(ulong address, ReadOnlySpan<byte> bytes) => throw Refusal();

    public uint Launch(uint slot, uint cpu, LaunchAddresses addresses, string imageId) => throw Refusal();

    public bool Stop(uint instance) => throw Refusal();

    public IReadOnlyList<RunningInstance> Instances() => throw Refusal();

    public void GiveCpu(uint instance, uint cpu) => throw Refusal();

    public void GiveFunction(uint instance, PciFunction function) => throw Refusal();

    public void GiveMemory(uint instance, ulong start, ulong bytes) => throw Refusal();

    public void TakeMemory(uint instance, ulong start, ulong bytes) => throw Refusal();

    public void Send(uint instance, ReadOnlySpan<byte> message) => throw Refusal();

    public byte[]? Receive(uint instance, TimeSpan timeout) => throw Refusal();

    public void Arm(uint instance, ReadOnlySpan<PciFunction> functions) => throw Refusal();

    public ParkResult Park(uint instance, TimeSpan patience, ReadOnlySpan<PciFunction> functions) => throw Refusal();

    public void Ready() => throw Refusal();

    public TimeSpan? WaitParked(TimeSpan timeout) => throw Refusal();

    public IReadOnlyList<TcpConnection> Connections() => throw Refusal();

    public void AdoptFunction(PciFunction function) => throw Refusal();

    public void Return() => throw Refusal();

    public uint Commit() => throw Refusal();

    public bool AdoptMemory(ulong start, ulong bytes) => throw Refusal();

    public void PreserveMemory(ulong start, ulong bytes) => throw Refusal();

    public void Preserve(string name, ulong bytes) => throw Refusal();

    public IReadOnlyList<PieceOfMemory> Preserved() => throw Refusal();

    private DeviceException Refusal() => reason;
}
