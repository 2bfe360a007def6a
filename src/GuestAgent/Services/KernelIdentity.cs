using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.Machine;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>Which kernel this is: two kernels of one guest differ in their boot ids.</summary>
public sealed class KernelIdentity(KernelFiles files)
{
    /// <summary>36 characters.</summary>
    public string BootId { get; } = files.Read("/proc/sys/kernel/random/boot_id");

    /// <summary>As <c>uname -r</c> says it.</summary>
    public string Release { get; } = files.Read("/proc/sys/kernel/osrelease");

    /// <summary>Times of two kernels are never compared: each carries its clock's name.</summary>
    public Wire.Timing OnThisClock(StepTiming timing) =>
        new() { Name = timing.Name, Clock = $"guest:{BootId}", Nanoseconds = (ulong)timing.Nanoseconds };
}
