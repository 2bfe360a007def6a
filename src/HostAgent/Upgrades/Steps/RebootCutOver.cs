using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>
/// Ends the machine and starts it on the new image, once. Until the commit every other start is on the image that it ran last; an
/// agent that died in between finds in the machine's record whether the new start was made.
/// </summary>
internal static class RebootCutOver
{
    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        Guid upgrade = context.Command.UpgradeId;
        if (context.Journal.Fact(upgrade, NewBoot.RunOfB) is null)
        {
            MachineEndpoint started = await StartAsync(context, cancellationToken).ConfigureAwait(false);
            if (context.Machine.ServingImageDigest != context.Command.ImageDigest)
            {
                throw new StepException(UpgradeFailure.MachineGone, $"The machine of guest {context.Machine.Name} was started, but not on the new image.");
            }

            context.Journal.Note(upgrade, NewBoot.RunOfB, started.Run.ToString());
        }

        MachineEndpoint endpoint = context.Endpoint;
        if (context.Journal.Fact(upgrade, NewBoot.RunOfB) != endpoint.Run.ToString())
        {
            throw new StepException(UpgradeFailure.MachineGone, $"The machine of guest {context.Machine.Name} has ended since it was started on the new image.");
        }

        context.Observations.Begin(upgrade, endpoint);
        using (context.Timings.Measure("cutover.boot"))
        {
            await NewBoot.WaitAsync(context, endpoint, _ => { }, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<MachineEndpoint> StartAsync(StepContext context, CancellationToken cancellationToken)
    {
        MachineEndpoint endpoint = context.Endpoint;
        if (endpoint.Run.ToString() != context.Journal.Fact(context.Command.UpgradeId, NewBoot.RunOfA))
        {
            return endpoint;
        }

        await NewBoot.BeginAsync(context, endpoint, cancellationToken).ConfigureAwait(false);
        context.Progress("ending the machine and starting it on the new image");
        using (context.Timings.Measure("cutover.restart"))
        {
            return await context.Machine.TryAsync(
                context.Command.ImageDigest, $"upgrade {context.Command.UpgradeId} by reboot", cancellationToken).ConfigureAwait(false);
        }
    }
}
