using MassTransit;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Heartbeats;

namespace TwinKernel.Fleet.HostAgent.Delivery;

/// <summary>How often a coordinator wants to hear of this host.</summary>
internal sealed class PaceHeartbeatsConsumer(HeartbeatPublisher heartbeats) : IConsumer<PaceHeartbeats>
{
    public Task Consume(ConsumeContext<PaceHeartbeats> context)
    {
        heartbeats.Pace(context.Message);
        return Task.CompletedTask;
    }
}
