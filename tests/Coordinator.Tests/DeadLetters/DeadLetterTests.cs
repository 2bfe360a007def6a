using System.Text;
using Grpc.Core;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using RabbitMQ.Client;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.DeadLetters;

/// <summary>What nobody could handle is counted and listed, and can be put back or dropped, on the real broker.</summary>
public sealed class DeadLetterTests(ServersFixture servers)
{
    [Fact]
    public async Task A_message_that_failed_is_put_away_shown_and_handled_when_it_is_replayed()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent agent = await fleet.StartHostAsync("h1", "web");
        (await ListAsync(coordinator)).Count.ShouldBe(0u);

        // A heartbeat that cannot be: refused without a retry.
        await PublishAsync(fleet, agent.Heartbeat() with { Interval = TimeSpan.FromDays(-1) });
        Wire.DeadLetters seen = await Eventually.Get(() => ListAsync(coordinator), answer => answer.Letters.Count == 1, "the heartbeat is put away");
        Wire.DeadLetter letter = seen.Letters[0];
        (seen.Count, letter.Type, letter.Queue).ShouldBe((1u, "HostHeartbeat", QueueNames.CoordinatorHosts));
        letter.Reason.ShouldStartWith("InvalidHeartbeatException: ");
        letter.At.ShouldNotBeNull();
        (await ListAsync(coordinator)).Letters.ShouldBe(seen.Letters, "looking changes nothing");

        // Its cause is not gone: it comes back. With its cause gone it is taken in.
        Wire.DeadLetters replayed = await ControlAsync(coordinator, "replay", letter.Id);
        (replayed.Letters.Count, replayed.Problems.Count).ShouldBe((1, 0));
        await Eventually.Get(() => ListAsync(coordinator), answer => answer.Count == 1, "it fails again");

        Wire.DeadLetters dropped = await ControlAsync(coordinator, "drop");
        (dropped.Letters.Count, dropped.Count).ShouldBe((1, 0u));
        (await ListAsync(coordinator)).Count.ShouldBe(0u);
        (await fleet.Read(db => db.Audit.Where(entry => entry.Actor == "ann").Select(entry => entry.Act).ToListAsync())).ShouldBe(["replay-dead-letter", "drop-dead-letter"]);
    }

    [Fact]
    public async Task A_result_that_was_put_away_completes_its_step_when_it_is_replayed()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent agent = await fleet.StartHostAsync("h1", "web");
        TaskCompletionSource<ExecuteStep> asked = new();
        agent.OnCommand = command => { asked.TrySetResult(command); return Task.CompletedTask; };
        Wire.StartUpgradeResponse started = await coordinator.StartUpgradeAsync("h1");
        ExecuteStep preflight = await asked.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        // As MassTransit puts a message away: its own body, and where it stood.
        await using (IConnection connection = await new ConnectionFactory { Uri = fleet.Broker }.CreateConnectionAsync(TestContext.Current.CancellationToken))
        await using (IChannel channel = await connection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken))
        {
            (await ListAsync(coordinator)).Count.ShouldBe(0u);
            BasicProperties properties = new()
            {
                MessageId = Guid.NewGuid().ToString(),
                ContentType = "application/vnd.masstransit+json",
                Headers = new Dictionary<string, object?> { ["MT-Fault-InputAddress"] = $"rabbitmq://localhost/{QueueNames.CoordinatorSteps}", ["MT-Fault-Message"] = "gone wrong" },
            };
            string body = System.Text.Json.JsonSerializer.Serialize(new
            {
                messageId = properties.MessageId,
                messageType = new[] { "urn:message:TwinKernel.Fleet.Contracts.Messages:StepFailed" },
                message = new
                {
                    upgradeId = preflight.UpgradeId,
                    host = "h1",
                    epoch = preflight.Epoch,
                    step = (int)preflight.Step,
                    failure = (int)UpgradeFailure.PreflightBlocked,
                    reason = "put away once",
                    timings = Array.Empty<object>(),
                },
            });
            await channel.BasicPublishAsync("", QueueNames.DeadLetters, mandatory: true, properties, Encoding.UTF8.GetBytes(body), TestContext.Current.CancellationToken);
            await channel.BasicPublishAsync("", QueueNames.DeadLetters, mandatory: true, new BasicProperties(), "garbage"u8.ToArray(), TestContext.Current.CancellationToken);
        }

        Wire.DeadLetters seen = await Eventually.Get(() => ListAsync(coordinator), answer => answer.Count == 2, "both are there");
        Wire.DeadLetters first = await coordinator.Client.ListDeadLettersAsync(new Wire.ListDeadLettersRequest { Limit = 1 });
        (first.Letters.Single(), first.Count).ShouldBe((seen.Letters[0], 2u), "those not shown are counted");
        Wire.DeadLetters replayed = await ControlAsync(coordinator, "replay");
        replayed.Letters.Select(letter => letter.Type).ShouldBe(["StepFailed"]);
        replayed.Problems.Single().ShouldBe($"{seen.Letters[1].Id} does not say where it came from; drop it.");
        replayed.Count.ShouldBe(1u);
        Wire.Upgrade end = (await coordinator.WatchAsync(started.Upgrades[0].Id))[^1];
        (end.State, end.Reason).ShouldBe(("RolledBack", "put away once"));
        (await ControlAsync(coordinator, "drop", seen.Letters[1].Id, "other")).Problems.ShouldBe(["other is not there; see `twinfleet dead-letters list`."]);
        (await ListAsync(coordinator)).Count.ShouldBe(0u);
    }

    [Fact]
    public async Task What_is_wrong_with_a_request_comes_at_once()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        RpcException e = await Should.ThrowAsync<RpcException>(async () =>
            await coordinator.Client.ControlDeadLettersAsync(new Wire.ControlDeadLettersRequest { Act = "burn", Actor = "" }));
        e.StatusCode.ShouldBe(StatusCode.InvalidArgument);
        foreach (string field in (string[])["actor", "act", "ids"])
        {
            e.Status.Detail.ShouldContain(field);
        }
    }

    private static async Task PublishAsync(FleetUnderTest fleet, HostHeartbeat beat)
    {
        IBusControl bus = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.Host(fleet.Broker, "test"));
        await bus.StartAsync(TestContext.Current.CancellationToken);
        await bus.Publish(beat, TestContext.Current.CancellationToken);
        await bus.StopAsync(TestContext.Current.CancellationToken);
    }

    private static async Task<Wire.DeadLetters> ListAsync(CoordinatorUnderTest coordinator) =>
        await coordinator.Client.ListDeadLettersAsync(new Wire.ListDeadLettersRequest());

    private static async Task<Wire.DeadLetters> ControlAsync(CoordinatorUnderTest coordinator, string act, params string[] ids) =>
        await coordinator.Client.ControlDeadLettersAsync(new Wire.ControlDeadLettersRequest { Act = act, Ids = { ids }, All = ids.Length == 0, Actor = "ann" });
}
