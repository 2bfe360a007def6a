using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using NodaTime;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Tests.Harness;

namespace TwinKernel.Fleet.Coordinator.Tests.Rollouts;

/// <summary>Each kind of gate, asked for real; whatever cannot be asked is an error, never a yes.</summary>
public sealed class GateQuestionTests(ServersFixture servers)
{
    [Fact]
    public async Task What_is_asked_decides_and_what_cannot_be_asked_is_an_error()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "a", "b");
        GateQuestion question = coordinator.App.Services.GetRequiredService<GateQuestion>();
        await using AnsweringServer server = await AnsweringServer.StartAsync();

        GateSpec http = new() { Name = "g", Kind = GateKind.Http, Point = GatePoint.AfterWave, Target = server.Address, Timeout = Duration.FromSeconds(5) };
        (await AskAsync(http)).ShouldBe(GateOutcome.Success);
        server.Status = 503;
        (await AskAsync(http)).ShouldBe(GateOutcome.Failure);
        (await AskAsync(http with { Target = "http://127.0.0.1:1/" })).ShouldBe(GateOutcome.Error);

        GateSpec prometheus = http with { Kind = GateKind.Prometheus, Query = "rate(errors[5m])", Expect = GateExpectation.Parse("< 0.01", "expect", []) };
        (await AskAsync(prometheus)).ShouldBe(GateOutcome.Error, "503 is no answer to a query");
        server.Status = 200;
        (await SaysAsync("""{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0.005"]}, {"metric": {}, "value": [1, "0"]}]}}""")).ShouldBe(GateOutcome.Success);
        (await SaysAsync("""{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0.005"]}, {"metric": {}, "value": [1, "+Inf"]}]}}""")).ShouldBe(GateOutcome.Failure);
        (await SaysAsync("""{"status": "success", "data": {"resultType": "scalar", "result": [1, "0.001"]}}""")).ShouldBe(GateOutcome.Success);
        (await SaysAsync("""{"status": "success", "data": {"resultType": "vector", "result": []}}""")).ShouldBe(GateOutcome.Inconclusive);
        (await SaysAsync("""{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}}""")).ShouldBe(GateOutcome.Inconclusive);
        (await SaysAsync("<html>")).ShouldBe(GateOutcome.Error);
        (await SaysAsync("""{"data": {"resultType": "matrix", "result": []}}""")).ShouldBe(GateOutcome.Error);

        host.OnInspect = asked => new GuestInspected
        {
            Host = "h1",
            Guest = asked.Guest,
            ObservedAt = DateTimeOffset.UnixEpoch,
            Inspection = asked.Guest == "a" ? new Inspection().ToByteArray() : null,
            Problem = asked.Guest == "a" ? null : "does not answer",
        };
        GateSpec probe = http with { Kind = GateKind.GuestProbe, Target = "" };
        (await AskAsync(probe, "a")).ShouldBe(GateOutcome.Success);
        (await AskAsync(probe, "a", "b")).ShouldBe(GateOutcome.Failure);
        (await AskAsync(probe)).ShouldBe(GateOutcome.Inconclusive, "nobody was asked");
        host.OnInspect = null;
        (await AskAsync(probe with { Timeout = Duration.FromSeconds(1) }, "a")).ShouldBe(GateOutcome.Error, "silence");

        async Task<GateOutcome> SaysAsync(string body)
        {
            server.Body = body;
            return await AskAsync(prometheus);
        }

        async Task<GateOutcome> AskAsync(GateSpec gate, params string[] guests) =>
            (await question.AskAsync(gate, [.. guests.Select(guest => new GuestId("h1", guest))], CancellationToken.None)).Outcome;
    }
}
