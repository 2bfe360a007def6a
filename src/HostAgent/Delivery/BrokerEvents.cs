using MassTransit;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent.Delivery;

/// <summary>Publishes through the broker.</summary>
internal sealed class BrokerEvents(IBus bus) : IStepEvents
{
    public Task PublishAsync<T>(T message, bool mustBeRouted, CancellationToken cancellationToken)
        where T : class =>
        bus.Publish(
            message,
            context =>
            {
                if (mustBeRouted && context.TryGetPayload(out RabbitMqSendContext? onRabbitMq))
                {
                    onRabbitMq.Mandatory = true;
                }
            },
            cancellationToken);
}
