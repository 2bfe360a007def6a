using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;
using TwinKernel.Fleet.GuestAgent.Workload;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>Tells kernel B all that it needs to serve in the place of this one: for a cut-over that follows, or for the case of a panic.</summary>
public sealed class HandoverOffer(ITwinKernelDevice device, GuestNetwork network, BearerToken token, TwinLink link, UpgradeJournal journal, KernelIdentity identity, ServiceHandover services)
{
    /// <summary>Nothing waits meanwhile: kernel A serves as before, and no write is held yet.</summary>
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(15);

    /// <summary>Returns when kernel B has agreed, with the functions that it will take.</summary>
    /// <exception cref="StepFailure">There is nothing to hand over, or kernel B refused or did not answer.</exception>
    public PciFunction[] Make(StepContext context, RunningInstance instance, bool failover)
    {
        if (network is not { Interface: { } own, Configuration: { } configuration } || token.Value is not { } secret)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.Internal, "This kernel has no configured network interface or no token to hand over.");
        }

        PciFunction[] functions = [own.Function];
        HandoverOrder order = new()
        {
            UpgradeId = context.UpgradeId,
            Epoch = context.Epoch,
            Token = secret,
            FromRelease = identity.Release,
            Image = journal.Current?.Find(Wire.Step.Load)?.Facts.GetValueOrDefault("image") ?? "",
            Mac = own.Mac,
            Network = configuration.ToString(),
            Functions = functions,
            SlotBytes = device.Slots().Where(slot => slot.Id == instance.Slot).Select(slot => slot.Bytes).FirstOrDefault(),
            Failover = failover,
            AreAwaited = services.HaveState,
            Neighbours = Neighbour.Write(network.Neighbours()),
        };
        context.Measure("agree", () =>
            link.Ask(instance.Id, new LinkMessage { Sequence = 0, Kind = LinkMessage.Handover, Order = order }, AnswerPatience, context.Cancellation));
        return functions;
    }
}
