using System.Collections.Concurrent;
using Grpc.Core;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Delivery;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Tests.Guests;
using TwinKernel.Fleet.Tests.Servers;

[assembly: AssemblyFixture(typeof(TwinKernel.Fleet.HostAgent.Tests.Delivery.BrokerFixture))]

namespace TwinKernel.Fleet.HostAgent.Tests.Delivery;

public sealed class BrokerFixture() : PrivateServers(ServersWanted.Broker), IAsyncLifetime;

/// <summary>The agent's queue and results on a real RabbitMQ, the coordinator's end played by a bus of the test's own.</summary>
public sealed class BrokerTests(BrokerFixture servers)
{
    [Fact]
    public async Task A_command_is_answered_over_the_broker_also_when_the_coordinators_queue_comes_later_than_the_result()
    {
        Uri broker = await servers.CreateVirtualHostAsync();
        await using FakeGuest guest = await FakeGuest.StartAsync();
        using TemporaryDirectory directory = new();
        string digest = Images.TestImages.Write(directory.File("images"), "b");
        using IHost agent = Agent(broker, directory, guest);
        await agent.StartAsync(TestContext.Current.CancellationToken);

        ConcurrentQueue<object> received = new();
        IBusControl sender = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.Host(broker, "test", _ => { }));
        await sender.StartAsync(TestContext.Current.CancellationToken);
        ExecuteStep command = Command(digest);
        await SendAsync(sender, command);
        string journal = directory.File($"state/upgrades/{command.UpgradeId}.jsonl");
        await Eventually.Async(() => File.Exists(journal) && File.ReadAllText(journal).Contains("\"kind\":\"Finished\"", StringComparison.Ordinal));

        IBusControl coordinator = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(broker, "test coordinator", _ => { });
            rabbit.ReceiveEndpoint(QueueNames.CoordinatorSteps, endpoint =>
            {
                endpoint.Handler<StepAccepted>(context => Take(context.Message));
                endpoint.Handler<StepCompleted>(context => Take(context.Message));
                endpoint.Handler<StepFailed>(context => Take(context.Message));
            });
            rabbit.ReceiveEndpoint(QueueNames.CoordinatorHosts, endpoint => endpoint.Handler<HostHeartbeat>(context => Take(context.Message)));
        });
        await coordinator.StartAsync(TestContext.Current.CancellationToken);
        try
        {
            await Eventually.Async(() => received.OfType<StepCompleted>().Any(c => c.Step == UpgradeStep.Preflight));
            await Eventually.Async(() => File.ReadAllText(journal).Contains("\"kind\":\"Published\"", StringComparison.Ordinal));

            // The next step, with the coordinator there, and the same once more.
            ExecuteStep reserve = command with { Step = UpgradeStep.Reserve };
            await SendAsync(sender, reserve);
            await Eventually.Async(() => received.OfType<StepCompleted>().Any(c => c.Step == UpgradeStep.Reserve));
            await SendAsync(sender, reserve);
            await Eventually.Async(() => received.OfType<StepCompleted>().Count(c => c.Step == UpgradeStep.Reserve) == 2);
            received.OfType<StepAccepted>().ShouldContain(a => a.Step == UpgradeStep.Reserve);
            guest.Calls.Count(c => c == "Reserve").ShouldBe(1);

            GuestInspected known = await InspectAsync(sender, "g1");
            (known.Host, known.Guest, known.Problem).ShouldBe(("h1", "g1", null));
            Inspection inspection = Inspection.Parser.ParseFrom(known.Inspection);
            inspection.Status.ShouldBe(guest.Status);
            inspection.Cpus.ShouldHaveSingleItem().Owner.ShouldBe("instance 1");
            GuestInspected unknown = await InspectAsync(sender, "g2");
            (unknown.Inspection, unknown.Problem!.Contains("has no guest 'g2'", StringComparison.Ordinal)).ShouldBe((null, true));
            guest.Before = (_, _) => throw new RpcException(new global::Grpc.Core.Status(StatusCode.Unavailable, "hangs"));
            (await InspectAsync(sender, "g1")).Problem!.ShouldContain("console1.log");
            guest.Before = (_, _) => Task.CompletedTask;

            await Eventually.Async(() => received.OfType<HostHeartbeat>().Count() >= 2);
            HostHeartbeat heartbeat = received.OfType<HostHeartbeat>().Last();
            (heartbeat.Host, heartbeat.Accelerator).ShouldBe(("h1", "tcg"));
            heartbeat.Images.ShouldHaveSingleItem().Digest.ShouldBe(digest);
            received.OfType<HostHeartbeat>().Select(h => h.Sequence).ShouldBeInOrder();

            TimeSpan own = TimeSpan.FromMilliseconds(300), seldom = TimeSpan.FromSeconds(2);
            heartbeat.Interval.ShouldBe(own);
            await sender.Publish(new PaceHeartbeats { Interval = seldom }, TestContext.Current.CancellationToken);
            await Eventually.Async(() => received.OfType<HostHeartbeat>().Last().Interval == seldom);
            await sender.Publish(new PaceHeartbeats { Interval = TimeSpan.FromHours(1) }, TestContext.Current.CancellationToken);
            await sender.Publish(new PaceHeartbeats { Interval = TimeSpan.FromMilliseconds(1) }, TestContext.Current.CancellationToken);
            await Eventually.Async(() => received.OfType<HostHeartbeat>().Last().Interval == own);
            received.OfType<HostHeartbeat>().Select(h => h.Interval).Distinct().ShouldBe([own, seldom]);
        }
        finally
        {
            await coordinator.StopAsync(CancellationToken.None);
            await sender.StopAsync(CancellationToken.None);
            await agent.StopAsync(CancellationToken.None);
        }

        Task Take(object message)
        {
            received.Enqueue(message);
            return Task.CompletedTask;
        }
    }

    private static async Task SendAsync(IBus bus, ExecuteStep command)
    {
        ISendEndpoint endpoint = await bus.GetSendEndpoint(new Uri($"queue:{QueueNames.Host("h1")}"));
        await endpoint.Send(command, TestContext.Current.CancellationToken);
    }

    private static async Task<GuestInspected> InspectAsync(IBus bus, string guest)
    {
        IRequestClient<InspectGuest> client = bus.CreateRequestClient<InspectGuest>(new Uri($"queue:{QueueNames.Host("h1")}"), TimeSpan.FromSeconds(30));
        return (await client.GetResponse<GuestInspected>(new InspectGuest { Host = "h1", Guest = guest }, TestContext.Current.CancellationToken)).Message;
    }

    private static ExecuteStep Command(string digest) => new()
    {
        UpgradeId = Guid.NewGuid(),
        Host = "h1",
        Guest = "g1",
        Epoch = 1,
        Step = UpgradeStep.Preflight,
        ImageDigest = digest,
        Deadline = TimeSpan.FromSeconds(60),
        ExpiresAt = TimeProvider.System.GetUtcNow().AddMinutes(5),
    };

    /// <summary>The program as it is, but for the machine behind the guest's name.</summary>
    private static IHost Agent(Uri broker, TemporaryDirectory directory, FakeGuest guest)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Broker:Uri"] = broker.ToString(),
            ["Host:Name"] = "h1",
            ["Host:StateDirectory"] = directory.File("state"),
            ["Host:ImageDirectory"] = directory.File("images"),
            ["Host:Accelerator"] = "tcg",
            ["Host:HeartbeatInterval"] = "00:00:00.300",
        });
        builder.Services.AddLogging().AddConfiguration(builder.Configuration).AddImages().AddMachines().AddUpgrades().AddBroker().AddHeartbeats();
        FakeMachine machine = new(guest, directory.Path);
        builder.Services.AddSingleton<Func<string, IGuestMachine?>>(name => name == "g1" ? machine : null);
        return builder.Build();
    }
}
