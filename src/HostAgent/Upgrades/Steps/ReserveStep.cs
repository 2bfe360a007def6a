using TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Lets the guest set aside a CPU and memory for kernel B.</summary>
internal static class ReserveStep
{
    public static Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        ReserveRequest request = new() { UpgradeId = context.Command.UpgradeId.ToString(), Epoch = (ulong)context.Command.Epoch };
        return context.StepAsync((guest, options) => guest.Client.ReserveAsync(request, options).ResponseAsync, cancellationToken);
    }
}
