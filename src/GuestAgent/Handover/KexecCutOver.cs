using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>The CutOver step by kexec. No undo after the jump: what is left of this kernel is its image on the host.</summary>
public sealed class KexecCutOver(IKexec kexec, KexecImage image, Workload.ServiceHandover services, StepRunner runner)
{
    public void Prepare(StepContext context)
    {
        if (image.IsLoaded != true)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.KexecRefused, "The image that was loaded for kexec is not there any more: roll back and begin anew.");
        }
    }

    /// <summary>Behind the answer. Returns only when this kernel goes on; then the step is recorded as failed.</summary>
    public void Jump(StepContext context)
    {
        try
        {
            services.Stop();
            kexec.Execute();
            throw new KexecException("reboot (kexec)", Errno.None);
        }
        catch (KexecException error)
        {
            services.Start(ownsMachine: true);
            runner.Record(context, new StepFailure(StatusCode.FailedPrecondition, Reasons.KexecRefused, error.Message, error));
        }
    }
}
