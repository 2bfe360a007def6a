namespace TwinKernel.Fleet.GuestAgent.KernelDevice;

/// <summary>
/// The kernel module, request by request. Each method is one ioctl (writing a slot: one mmap) and throws
/// <see cref="DeviceException"/> with the errno that <c>twinkernel.h</c> documents. Interrupted waits are resumed.
/// A boundary on purpose: the steps are tested against a model of the module.
/// </summary>
public interface ITwinKernelDevice
{
    MachineView Query();

    /// <summary>Takes a physical range as a slot.</summary>
    ClaimedSlot ClaimSlot(ulong start, ulong bytes);

    void ReleaseSlot(uint slot);

    IReadOnlyList<ClaimedSlot> Slots();

    /// <summary>Copies bytes to a physical address inside a claimed slot, or its window below 1 MiB, through a mapping that is gone on return.</summary>
    void Write(ulong address, ReadOnlySpan<byte> bytes);

    /// <summary>Starts the kernel in <paramref name="slot"/> on an offline CPU; returns the instance's id.</summary>
    uint Launch(uint slot, uint cpu, LaunchAddresses addresses, string imageId);

    /// <summary>Resets an instance's CPUs. False: there is no such instance (any more).</summary>
    bool Stop(uint instance);

    IReadOnlyList<RunningInstance> Instances();

    void GiveCpu(uint instance, uint cpu);

    /// <summary>Hands a function without a driver over while this kernel runs; one that was given before is a success.</summary>
    void GiveFunction(uint instance, PciFunction function);

    /// <summary>Hands offline memory blocks over while this kernel runs; a piece that was given before is a success.</summary>
    void GiveMemory(uint instance, ulong start, ulong bytes);

    /// <summary>Takes a piece back as it was given, when the instance does not use it.</summary>
    void TakeMemory(uint instance, ulong start, ulong bytes);

    /// <summary>Puts a message into the mailbox to an instance; 0: to the parent.</summary>
    void Send(uint instance, ReadOnlySpan<byte> message);

    /// <summary>Waits for a message. Null: none came in time. <paramref name="timeout"/> is at most a minute.</summary>
    byte[]? Receive(uint instance, TimeSpan timeout);

    /// <summary>From now on a panic of this kernel takes its functions' bus mastering and hands the machine to the instance.</summary>
    void Arm(uint instance, ReadOnlySpan<PciFunction> functions);

    /// <summary>Parks this kernel. Returns only when the instance gave the machine back or fell silent.</summary>
    ParkResult Park(uint instance, TimeSpan patience, ReadOnlySpan<PciFunction> functions);

    void Ready();

    /// <summary>How long before the return the parent had parked. Null: it has not within <paramref name="timeout"/>, at most a minute.</summary>
    TimeSpan? WaitParked(TimeSpan timeout);

    /// <summary>TCP connections of the parked parent over IPv4 that others may wait for; at most 1,024, and none after a panic.</summary>
    IReadOnlyList<TcpConnection> Connections();

    /// <summary>Binds one PCI function here; one that was adopted before is a success.</summary>
    void AdoptFunction(PciFunction function);

    /// <summary>Lets the parked parent go on. Does not return on success.</summary>
    void Return();

    /// <summary>Ends the parent; returns the CPUs online here.</summary>
    uint Commit();

    /// <summary>Takes a piece of the machine's memory over. False: it was this kernel's already.</summary>
    bool AdoptMemory(ulong start, ulong bytes);

    /// <summary>From now on offline memory is for preserved pieces, and no kernel's.</summary>
    void PreserveMemory(ulong start, ulong bytes);

    /// <summary>The preserved piece of this name, made if there is none.</summary>
    void Preserve(string name, ulong bytes);

    IReadOnlyList<PieceOfMemory> Preserved();
}
