using MassTransit;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.DeadLetters;
using TwinKernel.Fleet.Coordinator.Hosts;

namespace TwinKernel.Fleet.Coordinator.Delivery;

internal static class DeliveryServices
{
    public static WebApplicationBuilder AddDelivery(this WebApplicationBuilder builder)
    {
        BrokerAddress broker = BrokerAddress.Read(builder.Configuration);
        DeadLetterNames deadLetters = new();
        builder.Services.AddSingleton(broker);
        builder.Services.AddSingleton<ControlDeadLetters>();
        builder.Services.AddOptions<DeliveryOptions>().BindConfiguration(DeliveryOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<DeliveryOptions>, DeliveryOptionsValidator>();
        builder.Services.AddSingleton<ChangeSignals>();
        builder.Services.AddSingleton<UpgradeInbox>();
        builder.Services.AddOptions<MassTransitHostOptions>().Configure(host =>
        {
            // Otherwise what is sent before the queues are bound is confirmed and lost.
            host.WaitUntilStarted = true;
            host.StopTimeout = TimeSpan.FromSeconds(10);
        });
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<StepConsumer>();
            bus.AddConsumer<HeartbeatConsumer>();
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.Host(broker.Host, broker.Port, broker.VirtualHost, host =>
                {
                    host.Username(broker.User);
                    host.Password(broker.Password);
                    host.PublisherConfirmation = true;
                    // What a coordinator holds that the network has cut off is another's after twice that.
                    host.Heartbeat(TimeSpan.FromSeconds(20));
                });
                rabbit.SendTopology.ErrorQueueNameFormatter = deadLetters;
                rabbit.SendTopology.DeadLetterQueueNameFormatter = deadLetters;
                rabbit.ReceiveEndpoint(QueueNames.CoordinatorSteps, steps =>
                {
                    // As many as are taken in together, and as many again while they are.
                    steps.PrefetchCount = 2 * UpgradeInbox.MostTogether;
                    steps.ConcurrentMessageLimit = 2 * UpgradeInbox.MostTogether;
                    RideOut(steps);
                    steps.ConfigureConsumer<StepConsumer>(context);
                });
                rabbit.ReceiveEndpoint(QueueNames.CoordinatorHosts, hosts =>
                {
                    hosts.PrefetchCount = 2 * RecordHeartbeat.MostTogether;
                    hosts.ConcurrentMessageLimit = 2 * RecordHeartbeat.MostTogether;
                    RideOut(hosts);
                    hosts.ConfigureConsumer<HeartbeatConsumer>(context);
                });
            });
        });
        // After the bus: they need it started.
        builder.Services.AddHostedService<ChangeListener>();
        builder.Services.AddHostedService<OutboxRelay>();
        builder.Services.AddHostedService<Reconciler>();
        builder.Services.AddHostedService<HeartbeatPace>();
        return builder;
    }

    /// <summary>
    /// Trouble with the database is waited out, for more than a day, with the message unconfirmed, so that a coordinator that
    /// dies or stops meanwhile leaves it to another. Anything else is tried a few times and then goes to the dead letters.
    /// </summary>
    private static void RideOut(IReceiveEndpointConfigurator endpoint)
    {
        endpoint.UseMessageRetry(retry =>
        {
            retry.Ignore<InvalidHeartbeatException>();
            retry.Ignore<Exception>(FleetTransaction.IsDatabaseTrouble);
            retry.Intervals(100, 500, 2000);
        });
        endpoint.UseMessageRetry(retry =>
        {
            retry.Handle<Exception>(FleetTransaction.IsDatabaseTrouble);
            retry.Exponential(
                retryLimit: 20_000, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(500));
        });
    }
}

/// <summary>Where the broker is, from <c>Broker:Uri</c>; apart, so that the password is in nothing that is logged.</summary>
public sealed record BrokerAddress(string Host, ushort Port, string VirtualHost, string User, string Password)
{
    public static BrokerAddress Read(IConfiguration configuration)
    {
        const string Form = "amqp://USER:PASSWORD@HOST:PORT/VHOST";
        string? value = configuration["Broker:Uri"];
        if (string.IsNullOrWhiteSpace(value))
        {
            throw new FleetConfigurationException($"Broker:Uri is not set. Set the environment variable Broker__Uri to {Form}.");
        }

        if (!Uri.TryCreate(value, UriKind.Absolute, out Uri? uri) || uri.Scheme != "amqp" || uri.Host.Length == 0)
        {
            throw new FleetConfigurationException($"Broker:Uri is not of the form {Form}.");
        }

        string[] login = uri.UserInfo.Split(':', 2);
        string path = Uri.UnescapeDataString(uri.AbsolutePath.TrimStart('/'));
        return new BrokerAddress(
            uri.Host,
            uri.Port < 0 ? (ushort)5672 : (ushort)uri.Port,
            path.Length == 0 ? "/" : path,
            login[0].Length == 0 ? "guest" : Uri.UnescapeDataString(login[0]),
            login.Length < 2 ? "guest" : Uri.UnescapeDataString(login[1]));
    }

    public override string ToString() => $"{Host}:{Port}{(VirtualHost == "/" ? "/" : "/" + VirtualHost)}";
}
