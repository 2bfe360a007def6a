using Google.Protobuf;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Guests;

/// <summary>A question through the broker and back, and each way in which nobody can answer it.</summary>
public sealed class InspectGuestTests(ServersFixture servers)
{
    [Fact]
    public async Task What_the_guest_says_arrives_and_each_refusal_says_what_to_do()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync("--Delivery:AnswerWithin=00:00:05");
        TestHostAgent h1 = await fleet.StartHostAsync("h1", "web", "db");
        await fleet.StartHostAsync("h2", "web", "mute");
        Inspection said = new() { Status = new() { BootId = "aaaa" }, Memory = { new Inspection.Types.Memory { Start = 1 << 20, Bytes = 1 << 30, Owner = "this kernel" } } };
        h1.OnInspect = asked => new GuestInspected
        {
            Host = "h1",
            Guest = asked.Guest,
            ObservedAt = DateTimeOffset.UnixEpoch,
            Inspection = asked.Guest == "web" ? said.ToByteArray() : null,
            Problem = asked.Guest == "web" ? null : "The agent in guest db does not answer.",
        };

        Wire.InspectGuestResponse answer = await coordinator.Client.InspectGuestAsync(new Wire.InspectGuestRequest { Guest = "web", Host = "h1" });
        (answer.Host, answer.Guest, answer.Observed.ToDateTimeOffset()).ShouldBe(("h1", "web", DateTimeOffset.UnixEpoch));
        answer.Inspection.ShouldBe(said);

        await RefusedAsync("", "", StatusCode.InvalidArgument, "twinfleet guests list");
        await RefusedAsync("nobody", "", StatusCode.NotFound, "twinfleet guests list");
        await RefusedAsync("mute", "h1", StatusCode.NotFound, "twinfleet guests list --host h1");
        await RefusedAsync("web", "h9", StatusCode.NotFound, "twinfleet hosts list");
        await RefusedAsync("web", "", StatusCode.InvalidArgument, "hosts h1, h2 each have a guest 'web'");
        await RefusedAsync("db", "", StatusCode.FailedPrecondition, "does not answer");
        await RefusedAsync("mute", "", StatusCode.FailedPrecondition, "The agent of host h2 did not answer within 5 s");

        HostHeartbeat last = h1.Heartbeat() with { Interval = TimeSpan.FromMilliseconds(1) };
        await h1.BeatAsync(last);
        await Eventually.Get(
            async () => (await Should.ThrowAsync<RpcException>(async () => await coordinator.Client.InspectGuestAsync(new Wire.InspectGuestRequest { Guest = "db" }))).Status.Detail,
            said => said.Contains("Host h1 is offline, last seen", StringComparison.Ordinal), "the host counts as away");

        async Task RefusedAsync(string guest, string host, StatusCode code, string what)
        {
            RpcException refused = await Should.ThrowAsync<RpcException>(async () =>
                await coordinator.Client.InspectGuestAsync(new Wire.InspectGuestRequest { Guest = guest, Host = host }));
            (refused.StatusCode, refused.Status.Detail.Contains(what, StringComparison.Ordinal)).ShouldBe((code, true), refused.Status.Detail);
        }
    }
}
