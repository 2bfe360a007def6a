using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>The CutOver step by kexec. No undo after the jump: what is left of this kernel is its image on the host.</summary>
public sealed class KexecCutOver(IKexec kexec, KexecImage image, Workload.ServiceHandover services, GuestNetwork network, StepRunner runner)
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
            // This kernel resets the card on its way out: a processor that polls it under load then never stops polling (virtnet_poll_cleantx in drivers/net/virtio_net.c, 6.1), and nobody jumps.
            network.Leave();
            kexec.Execute();
            throw new KexecException("reboot (kexec)", Errno.None);
        }
        catch (IOException error)
        {
            try
            {
                network.Return();
            }
            finally
            {
                services.Start(ownsMachine: true);
                runner.Record(context, new StepFailure(StatusCode.FailedPrecondition, Reasons.KexecRefused, error.Message, error));
            }
        }
    }
}
