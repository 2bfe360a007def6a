using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Kernel B takes the last CPU and all memory, and is what the machine starts on from now on. No undo after this.</summary>
internal static class CommitStep
{
    private static readonly TimeSpan LastAnswers = TimeSpan.FromMilliseconds(200);

    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        context.Observations.Begin(context.Command.UpgradeId, context.Endpoint);
        try
        {
            // After kexec and reboot there is nothing left for kernel B to take.
            if (context.Command.Strategy == UpgradeStrategy.Twin)
            {
                await context.StepAsync((guest, options) => guest.Client.CommitAsync(context.Request, options).ResponseAsync, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (RpcException)
        {
            await RecordAsync(context, cancellationToken).ConfigureAwait(false);
            throw;
        }

        GuestStatus status = await RecordAsync(context, cancellationToken).ConfigureAwait(false);
        List<string> missing = [];
        if (context.Command.Strategy != UpgradeStrategy.Twin && !NewBoot.IsKernelB(context, status))
        {
            missing.Add($"the kernel that answers, {status.KernelRelease}, is another one");
        }

        if (status.HasParent)
        {
            missing.Add("kernel A is still there");
        }

        if (status.CpusOnline != status.CpusPresent)
        {
            missing.Add($"{status.CpusOnline} of {status.CpusPresent} CPUs are online");
        }

        if (status.MachineMemoryOwnedBytes != status.MachineMemoryBytes)
        {
            missing.Add($"{status.MachineMemoryOwnedBytes} of {status.MachineMemoryBytes} bytes of memory are its own");
        }

        if (missing.Count > 0)
        {
            throw new StepException(UpgradeFailure.CommitIncomplete, $"Kernel B serves, but {string.Join(", ", missing)}.");
        }

        // Replies to the newest probes are on their way.
        await Task.Delay(LastAnswers, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Once kernel A is gone, complete or not, the next start of the machine is on B's image.</summary>
    private static async Task<GuestStatus> RecordAsync(StepContext context, CancellationToken cancellationToken)
    {
        GuestStatus status = await context.CallAsync((guest, _) => guest.StatusAsync(TimeSpan.FromSeconds(2), cancellationToken), cancellationToken).ConfigureAwait(false);
        context.Observed = status;
        if (!status.HasParent && NewBoot.IsKernelB(context, status))
        {
            context.Machine.RecordCommitted(context.Command.ImageDigest);
        }

        return status;
    }
}
