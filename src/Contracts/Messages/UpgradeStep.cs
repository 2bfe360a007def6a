namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>
/// A part of an upgrade that one command asks for and one result answers. The order of the members is the
/// order in which an upgrade takes them; <see cref="RollBack"/> may follow any step before <see cref="Commit"/>.
/// A twin takes them all, <see cref="UpgradeStrategy.Kexec"/> and <see cref="UpgradeStrategy.Reboot"/> some.
/// </summary>
public enum UpgradeStep
{
    /// <summary>Asks whether the guest can be upgraded; touches nothing.</summary>
    Preflight = 1,

    /// <summary>Takes CPUs and memory out of kernel A's use and claims the slot.</summary>
    Reserve = 2,

    /// <summary>Streams the image into the guest and writes the boot into the slot; by kexec, loads it into kernel A.</summary>
    Load = 3,

    /// <summary>Starts kernel B beside kernel A.</summary>
    Boot = 4,

    /// <summary>Waits until kernel B's agent reports that it is ready.</summary>
    Standby = 5,

    /// <summary>Gives every CPU but the last to kernel B.</summary>
    Transfer = 6,

    /// <summary>Parks kernel A; kernel B takes the devices and serves. By kexec and by reboot, ends kernel A: only its image is left to go back to.</summary>
    CutOver = 7,

    /// <summary>Watches kernel B serve while kernel A is parked but whole.</summary>
    Probation = 8,

    /// <summary>Gives the last CPU and all memory to kernel B; from then on the machine starts on B's image. Nothing can be undone afterwards.</summary>
    Commit = 9,

    /// <summary>Stops kernel B and gives everything back to kernel A; if A has ended, starts the machine again on A's image.</summary>
    RollBack = 10,
}
