using TwinKernel.Fleet.Contracts.Messages;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.GuestLink;

/// <summary>What of a guest's status goes out as a message.</summary>
internal static class GuestObservations
{
    /// <param name="status">What the guest said.</param>
    /// <param name="at">When, on the host's wall clock.</param>
    public static GuestObservation ToObservation(this GuestStatus status, DateTimeOffset at) => new()
    {
        ObservedAt = at,
        KernelRelease = status.KernelRelease,
        BootId = status.BootId,
        HasParent = status.HasParent,
        CpusOnline = (int)status.CpusOnline,
        CpusPresent = (int)status.CpusPresent,
        MemoryBytes = (long)status.MemoryBytes,
        MachineMemoryBytes = (long)status.MachineMemoryBytes,
        MachineMemoryOwnedBytes = (long)status.MachineMemoryOwnedBytes,
    };
}
