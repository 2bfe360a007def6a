using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>Undoes an upgrade before its commit: in kernel A by giving everything back, in kernel B by letting the parked kernel A go on.</summary>
public sealed class RollBack(ITwinKernelDevice device, UpgradeJournal journal, GiveBack giveBack, KexecImage kexec)
{
    /// <summary>This kernel is the one that goes: <see cref="Return"/> belongs behind the answer.</summary>
    public bool IsKernelB => !ByKexec && device.Query() is { HasParent: true, ParentParked: true };

    private bool ByKexec => journal.Current?.Strategy == Wire.Strategy.Kexec;

    public void Run(StepContext context)
    {
        if (journal.Current?.Succeeded(Wire.Step.Commit) == true)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.WrongStep, "The upgrade has been committed: kernel A is gone, and nothing can be undone.");
        }

        if (ByKexec)
        {
            context.Measure("kexec.unload", kexec.Unload);
        }
        else if (!IsKernelB)
        {
            giveBack.Everything(context);
        }
    }

    /// <summary>Does not return on success.</summary>
    public void Return() => device.Return();
}
