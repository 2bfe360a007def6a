using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Upgrades;

public sealed class StartUpgradeTests(ServersFixture servers)
{
    private static Wire.StartUpgradeRequest Request(string host, string image, Guid? id = null) =>
        new() { Host = host, Image = image, RequestId = (id ?? Guid.NewGuid()).ToString() };

    [Fact]
    public async Task The_same_request_at_many_coordinators_at_once_starts_one_upgrade()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        TestHostAgent host = await fleet.StartHostAsync("h1", "web", "db");
        host.OnCommand = command => host.SayAsync(host.Accepted(command));

        Guid request = Guid.NewGuid();
        Wire.StartUpgradeResponse[] answers = await Task.WhenAll(
            Enumerable.Range(0, 10).Select(number => coordinators[number % 2].StartUpgradeAsync("h1", request)));

        answers.Select(answer => answer.RolloutId).Distinct().Count().ShouldBe(1);
        answers.ShouldAllBe(answer => answer.Upgrades.Count == 2);
        (await fleet.Read(db => db.Upgrades.CountAsync())).ShouldBe(2);
        (await fleet.Read(db => db.Guests.Select(guest => guest.Epoch).ToListAsync())).ShouldBe([1L, 1L]);

        RpcException other = await Should.ThrowAsync<RpcException>(async () =>
            await coordinators[0].Client.StartUpgradeAsync(Request("h1", "debian-6.1", request)));
        other.StatusCode.ShouldBe(StatusCode.InvalidArgument);
        other.Status.Detail.ShouldContain("was used for another request");
        Wire.StartUpgradeRequest otherwise = Request("h1", "debian-6.12", request);
        otherwise.Strategy = "kexec";
        await Refused(coordinators[1].Client.StartUpgradeAsync(otherwise), StatusCode.InvalidArgument, "strategy Twin");
    }

    [Fact]
    public async Task What_a_panic_shall_mean_reaches_every_step_and_needs_a_twin()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        foreach ((string strategy, string onPanic) in new[] { ("kexec", "failover"), ("reboot", "failover"), ("", "pray") })
        {
            Wire.StartUpgradeRequest wrong = Request("h1", "debian-6.12");
            (wrong.Strategy, wrong.OnPanic) = (strategy, onPanic);
            RpcException refused = await Should.ThrowAsync<RpcException>(async () => await coordinator.Client.StartUpgradeAsync(wrong));
            (refused.StatusCode, refused.Status.Detail.Contains("on_panic", StringComparison.Ordinal)).ShouldBe((StatusCode.InvalidArgument, true));
        }

        Wire.StartUpgradeRequest request = Request("h1", "debian-6.12");
        request.OnPanic = "failover";
        Wire.Upgrade started = (await coordinator.Client.StartUpgradeAsync(request)).Upgrades.Single();
        started.OnPanic.ShouldBe("Failover");
        (await coordinator.WatchAsync(started.Id))[^1].State.ShouldBe("Completed");
        host.Commands.ShouldAllBe(one => one.Command.OnPanic == PanicPolicy.Failover);

        request.OnPanic = "reset";
        (await Should.ThrowAsync<RpcException>(async () => await coordinator.Client.StartUpgradeAsync(request))).Status.Detail.ShouldContain("on panic Failover");
    }

    [Fact]
    public async Task Of_many_requests_for_one_guest_at_once_one_wins_and_the_others_start_nothing()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        TestHostAgent host = await fleet.StartHostAsync("h1", "web", "db");
        host.OnCommand = command => host.SayAsync(host.Accepted(command));

        List<RpcException> refused = [];
        int started = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async number =>
        {
            try
            {
                await coordinators[number % 2].StartUpgradeAsync("h1");
                Interlocked.Increment(ref started);
            }
            catch (RpcException e)
            {
                lock (refused)
                {
                    refused.Add(e);
                }
            }
        }));

        started.ShouldBe(1);
        refused.Count.ShouldBe(7);
        refused.ShouldAllBe(e => e.StatusCode == StatusCode.AlreadyExists);
        refused[0].Status.Detail.ShouldContain("nothing was started");
        (await fleet.Read(db => db.Rollouts.CountAsync())).ShouldBe(1);
        (await fleet.Read(db => db.Upgrades.CountAsync())).ShouldBe(2);

        Wire.Guest guest = (await coordinators[0].Client.ListGuestsAsync(new Wire.ListGuestsRequest { Host = "h1" })).Guests[0];
        guest.ActiveUpgrade.ShouldNotBeEmpty();
        Wire.ListUpgradesResponse list = await coordinators[0].Client.ListUpgradesAsync(new Wire.ListUpgradesRequest { Host = "h1", Limit = 1 });
        list.Upgrades.Count.ShouldBe(1);
    }

    [Fact]
    public async Task All_violations_of_a_request_come_at_once()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        RpcException refused = await Should.ThrowAsync<RpcException>(async () =>
            await coordinator.Client.StartUpgradeAsync(new Wire.StartUpgradeRequest { Host = "No Host", RequestId = "x", Strategy = "twin,kexec" }));
        refused.StatusCode.ShouldBe(StatusCode.InvalidArgument);
        Wire.Violations violations = Wire.Violations.Parser.ParseFrom(refused.Trailers.GetValueBytes("twinkernel-violations-bin"));
        violations.Violations_.Select(one => one.Field).ShouldBe(["host", "image", "request_id", "strategy"]);

        Wire.StartUpgradeRequest unverified = Request("h1", "debian-6.12");
        (unverified.Strategy, unverified.RequireSignature) = ("reboot", true);
        await Refused(coordinator.Client.StartUpgradeAsync(unverified), StatusCode.InvalidArgument, "no kernel is there to check it");
        await Refused(coordinator.Client.StartUpgradeAsync(Request("nobody", "debian-6.12")), StatusCode.NotFound, "'nobody' is not known");
        await Refused(coordinator.Client.GetUpgradeAsync(new Wire.GetUpgradeRequest { Id = "123" }), StatusCode.InvalidArgument, "8 digits");
        await Refused(coordinator.Client.GetUpgradeAsync(new Wire.GetUpgradeRequest { Id = "12345678" }), StatusCode.NotFound, "No upgrade");
        await Refused(coordinator.Client.ListGuestsAsync(new Wire.ListGuestsRequest { Host = "nobody" }), StatusCode.NotFound, "'nobody'");
        await Refused(coordinator.Client.ListUpgradesAsync(new Wire.ListUpgradesRequest { Limit = 5000 }), StatusCode.InvalidArgument, "at most 1000");
    }

    [Fact]
    public async Task A_host_that_is_not_ready_gets_all_its_blockers_and_no_upgrade()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent other = await fleet.StartHostAsync("h2", "web");
        TestHostAgent host = await fleet.StartHostAsync("h1", "web", "db");
        HostHeartbeat beat = host.Heartbeat();
        await host.BeatAsync(beat with
        {
            Interval = TimeSpan.FromMilliseconds(1),
            Images = [beat.Images[0]],
            Guests = [beat.Guests[0] with { State = GuestState.Stopped, Observation = null }, beat.Guests[1]],
        });
        await Eventually.Get(async () => (await coordinator.Client.ListHostsAsync(new Wire.ListHostsRequest())).Hosts[0].Online,
            online => !online, "h1 is offline");

        RpcException refused = await Refused(
            coordinator.Client.StartUpgradeAsync(Request("h1", "debian-6.12")), StatusCode.FailedPrecondition, "is offline");
        refused.Status.Detail.ShouldContain("does not hold image 'debian-6.12'");
        refused.Status.Detail.ShouldContain("Guest web is not running (Stopped)");
        await Refused(coordinator.Client.StartUpgradeAsync(Request("h2", "debian-7")), StatusCode.NotFound, "'debian-7' is not known");
        (await fleet.Read(db => db.Upgrades.CountAsync())).ShouldBe(0);
    }

    [Theory]
    [InlineData("debian-6.12")]
    [InlineData("bbbbbbbb")]
    [InlineData("sha256:bbbbbbbb00")]
    [InlineData(FleetUnderTest.ImageB)]
    public async Task An_image_is_meant_by_name_digest_or_its_beginning(string image)
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        host.OnCommand = command => host.SayAsync(host.Accepted(command));
        Wire.Upgrade upgrade = (await coordinator.Client.StartUpgradeAsync(Request("h1", image))).Upgrades.Single();
        (upgrade.Image, upgrade.ImageName, upgrade.State).ShouldBe((FleetUnderTest.ImageB, "debian-6.12", "Preflight"));
        upgrade.WaitsFor.ShouldStartWith("Waits for host h1 to accept Preflight");
    }

    private static async Task<RpcException> Refused<T>(AsyncUnaryCall<T> call, StatusCode code, string part)
    {
        RpcException refused = await Should.ThrowAsync<RpcException>(async () => await call);
        refused.StatusCode.ShouldBe(code);
        refused.Status.Detail.ShouldContain(part);
        return refused;
    }
}
