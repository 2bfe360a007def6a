using MassTransit;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>
/// The words of hosts about steps. When the database fails, so does the consumer: the message stays with the broker and
/// comes again.
/// </summary>
public sealed class StepConsumer(UpgradeInbox inbox)
    : IConsumer<StepAccepted>, IConsumer<StepProgressed>, IConsumer<StepCompleted>, IConsumer<StepFailed>
{
    public Task Consume(ConsumeContext<StepAccepted> context)
    {
        StepAccepted said = context.Message;
        return inbox.TakeAsync(context.MessageId, said.UpgradeId,
            new UpgradeEvent.Accepted(said.Host, said.Epoch, said.Step), context.CancellationToken);
    }

    public Task Consume(ConsumeContext<StepProgressed> context)
    {
        StepProgressed said = context.Message;
        return inbox.TakeAsync(null, said.UpgradeId,
            new UpgradeEvent.Progressed(said.Host, said.Epoch, said.Step, said.Message), context.CancellationToken);
    }

    public Task Consume(ConsumeContext<StepCompleted> context)
    {
        StepCompleted said = context.Message;
        return inbox.TakeAsync(context.MessageId, said.UpgradeId,
            new UpgradeEvent.Completed(said.Host, said.Epoch, said.Step,
                new StepReport(said.Timings, said.Guest, said.Outage)
                {
                    Strategy = said.Strategy,
                    StrategyReason = said.StrategyReason,
                    Signature = said.Signature,
                }), context.CancellationToken);
    }

    public Task Consume(ConsumeContext<StepFailed> context)
    {
        StepFailed said = context.Message;
        // A failure that names no failure would count as a success further down.
        UpgradeFailure failure = said.Failure == UpgradeFailure.None ? UpgradeFailure.Internal : said.Failure;
        return inbox.TakeAsync(context.MessageId, said.UpgradeId,
            new UpgradeEvent.Failed(said.Host, said.Epoch, said.Step, failure, said.Reason,
                new StepReport(said.Timings, said.Guest, said.Outage)), context.CancellationToken);
    }
}
