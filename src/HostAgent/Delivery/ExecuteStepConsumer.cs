using MassTransit;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent.Delivery;

/// <summary>Hands a command to the runner and lets the message go: no consumer holds one for a long job.</summary>
internal sealed class ExecuteStepConsumer(UpgradeRunner runner) : IConsumer<ExecuteStep>
{
    public Task Consume(ConsumeContext<ExecuteStep> context) => runner.AcceptAsync(context.Message, context.CancellationToken);
}
