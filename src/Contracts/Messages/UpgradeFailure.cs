namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>Why a step failed: the step's part and the side that failed, for people and for policy.</summary>
public enum UpgradeFailure
{
    /// <summary>Nothing failed.</summary>
    None = 0,

    /// <summary>Preflight found a blocker: the guest was not touched.</summary>
    PreflightBlocked,

    /// <summary>Kernel A could not set aside CPUs or memory.</summary>
    ReservationRefused,

    /// <summary>The host does not hold the image that was asked for.</summary>
    ImageMissing,

    /// <summary>A part of the image is not what its manifest says: a digest or size differs.</summary>
    ImageDigestMismatch,

    /// <summary>The image cannot be booted beside another kernel: magic, protocol version, entry point or size.</summary>
    ImageInvalid,

    /// <summary>The CPU that was to run kernel B did not start.</summary>
    LaunchTimedOut,

    /// <summary>Kernel B did not report in before the deadline.</summary>
    StandbyKernelSilent,

    /// <summary>Kernel B panicked before it was ready.</summary>
    StandbyKernelPanicked,

    /// <summary>A CPU or device could not be transferred.</summary>
    TransferRefused,

    /// <summary>Kernel B fell silent or panicked after the cut-over; kernel A took everything back.</summary>
    CutOverReturned,

    /// <summary>Kernel B serves but did not stand its probation.</summary>
    ProbationFailed,

    /// <summary>The commit did not finish; kernel B serves, but does not own everything.</summary>
    CommitIncomplete,

    /// <summary>The agent in the guest does not answer.</summary>
    GuestAgentUnreachable,

    /// <summary>The virtual machine is not running.</summary>
    MachineGone,

    /// <summary>The host's agent did not answer before the step's deadline.</summary>
    HostAgentSilent,

    /// <summary>The command carried an epoch older than one that was seen.</summary>
    StaleEpoch,

    /// <summary>The roll-back itself failed.</summary>
    RollBackFailed,

    /// <summary>Something the code did not expect; the reason tells what.</summary>
    Internal,

    /// <summary>A valid signature was required, and kernel A does not call the image's one.</summary>
    SignatureRejected,

    /// <summary>Kernel A could not load the image with kexec, or did not jump to it.</summary>
    KexecRefused,

    /// <summary>The machine was booted anew, by kexec or by the host, and the new kernel does not answer or is another one.</summary>
    NewKernelSilent,

    /// <summary>Kernel A panicked while kernel B stood by, and B took the machine over: a commit follows, not a roll-back.</summary>
    TookOver,

    /// <summary>A hook of the guest's failed or took too long; the reason names it.</summary>
    HookFailed,

    /// <summary>A service of the guest's does not serve in kernel B, or does not have what kernel A's has.</summary>
    ServiceNotReady,

    /// <summary>Nothing failed: an operator, an emergency stop or a rollout's rule wanted kernel A back.</summary>
    Aborted,

    /// <summary>A gate of the rollout's did not succeed while kernel B stood by, or in its probation; the reason names it.</summary>
    GateStopped,
}
