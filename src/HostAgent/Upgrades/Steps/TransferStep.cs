using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>
/// Begins to observe from outside, plugs in the card that kernel B serves on until it has kernel A's, then gives every CPU but the last
/// to kernel B, and what else can be spared.
/// </summary>
internal static class TransferStep
{
    /// <summary>The fact, of the guest and then of the upgrade, that kernel B answers on the standby card.</summary>
    public const string CardServes = "card.serves";
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

        observer.AtEase = true;
        TransferRequest request = new()
        {
            UpgradeId = context.Command.UpgradeId.ToString(),
            Epoch = (ulong)context.Command.Epoch,
            StandbyCard = await PlugAsync(context, cancellationToken).ConfigureAwait(false),
        };
        StepResult result = await context.StepAsync((guest, options) => guest.Client.TransferAsync(request, options).ResponseAsync, cancellationToken).ConfigureAwait(false);
        if (result.Facts.TryGetValue(CardServes, out string? address))
        {
            context.Journal.Note(context.Command.UpgradeId, CardServes, address);
        }
    }

    private static async Task<StandbyCard?> PlugAsync(StepContext context, CancellationToken cancellationToken)
    {
        try
        {
            using (context.Timings.Measure("transfer.plug"))
            {
                return await context.Machine.PlugStandbyCardAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or TimeoutException && !context.Machine.NeedsStandbyCard)
        {
            context.Progress($"without a standby card, so that the outage will be longer: {e.Message}");
            return null;
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            throw new StepException(UpgradeFailure.TransferRefused, $"The standby card could not be plugged in: {e.Message}", e);
        }
    }
}
