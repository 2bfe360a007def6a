namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>How a guest comes to its new kernel. Only a twin keeps the workload running and its memory whole.</summary>
public enum UpgradeStrategy
{
    /// <summary>The first that is possible, in the order of the members; Preflight chooses, and says why not an earlier one.</summary>
    Auto = 0,

    /// <summary>Kernel B boots beside kernel A and takes the machine over.</summary>
    Twin = 1,

    /// <summary>Kernel A loads kernel B over itself and jumps to it: no firmware, no new machine, but a new boot and an outage of that length.</summary>
    Kexec = 2,

    /// <summary>The host ends the machine and starts it on the new image. Asks nothing of the guest.</summary>
    Reboot = 3,
}
