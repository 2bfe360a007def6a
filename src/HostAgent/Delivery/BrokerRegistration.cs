using MassTransit;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent.Delivery;

/// <summary>The broker: this host's own queue, and the way to publish.</summary>
internal static class BrokerRegistration
{
    private const int Prefetch = 8;

    public static IServiceCollection AddBroker(this IServiceCollection services)
    {
        services.AddSingleton<IStepEvents, BrokerEvents>();
        services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<ExecuteStepConsumer>();
            bus.AddConsumer<InspectGuestConsumer>();
            bus.AddConsumer<RunGateCommandConsumer>();
            bus.AddConsumer<PaceHeartbeatsConsumer>();
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.Host(new Uri(context.GetRequiredService<IOptions<BrokerOptions>>().Value.Uri), "twinfleet host agent", _ => { });
                DeadLetterNames deadLetters = new();
                rabbit.SendTopology.ErrorQueueNameFormatter = deadLetters;
                rabbit.SendTopology.DeadLetterQueueNameFormatter = deadLetters;

                // A durable classic queue, as a sender to "queue:…" declares it too; a quorum queue would refuse that sender.
                rabbit.ReceiveEndpoint(QueueNames.Host(context.GetRequiredService<IOptions<AgentOptions>>().Value.Name), endpoint =>
                {
                    endpoint.ConfigureConsumeTopology = false;
                    endpoint.Bind<PaceHeartbeats>();
                    endpoint.PrefetchCount = Prefetch;
                    endpoint.UseMessageRetry(retry => retry.Intervals(
                        TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(10)));
                    endpoint.ConfigureConsumer<ExecuteStepConsumer>(context);
                    endpoint.ConfigureConsumer<InspectGuestConsumer>(context);
                    endpoint.ConfigureConsumer<RunGateCommandConsumer>(context);
                    endpoint.ConfigureConsumer<PaceHeartbeatsConsumer>(context);
                });
            });
        });
        services.AddOptions<MassTransitHostOptions>().Configure(options =>
        {
            options.WaitUntilStarted = true;
            options.StopTimeout = TimeSpan.FromSeconds(3);
            options.ConsumerStopTimeout = TimeSpan.FromSeconds(2);
        });
        return services;
    }
}
