using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Begins to observe from outside, then gives every CPU but the last to kernel B.</summary>
internal static class TransferStep
{
    private static readonly TimeSpan FirstAnswer = TimeSpan.FromSeconds(5);

    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        Observation.OutageObserver observer = context.Observations.Begin(context.Command.UpgradeId, context.Endpoint);
        if (!await observer.WaitAnsweredAsync(FirstAnswer, cancellationToken).ConfigureAwait(false))
        {
            throw new StepException(
                UpgradeFailure.GuestAgentUnreachable,
                $"The guest's service on UDP {context.Endpoint.Service} answered no probe for {FirstAnswer}: an outage could not be measured, so nothing was transferred.");
        }

        await context.StepAsync((guest, options) => guest.Client.TransferAsync(context.Request, options).ResponseAsync, cancellationToken).ConfigureAwait(false);
    }
}
