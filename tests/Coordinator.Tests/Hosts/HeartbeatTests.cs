using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Hosts;

public sealed class HeartbeatTests(ServersFixture servers)
{
    [Fact]
    public async Task A_host_registers_with_its_guests_and_images()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await fleet.StartHostAsync("h2");
        await fleet.StartHostAsync("h1", "web", "db");

        Wire.ListHostsResponse hosts = await coordinator.Client.ListHostsAsync(new Wire.ListHostsRequest());
        hosts.Hosts.Select(host => (host.Name, host.Online, host.Guests, host.AgentVersion, host.Accelerator))
            .ShouldBe([("h1", true, 2u, "1.0-test", "tcg"), ("h2", true, 0u, "1.0-test", "tcg")]);
        Wire.ListGuestsResponse guests = await coordinator.Client.ListGuestsAsync(new Wire.ListGuestsRequest());
        guests.Guests.Select(guest => (guest.Name, guest.State, guest.KernelRelease, guest.BootId, guest.CpusOnline, guest.Address))
            .ShouldBe([("db", "running", "6.1.0", "aaaa", 2u, "127.0.0.1:7777"), ("web", "running", "6.1.0", "aaaa", 2u, "127.0.0.1:7777")]);
        Wire.ListImagesResponse images = await coordinator.Client.ListImagesAsync(new Wire.ListImagesRequest());
        images.Images.Select(image => (image.Name, image.Digest, image.Bytes)).ShouldBe(
            [("debian-6.1", FleetUnderTest.ImageA, 11ul), ("debian-6.12", FleetUnderTest.ImageB, 12ul)]);
        images.Images[0].Hosts.ShouldBe(["h1", "h2"]);
    }

    [Fact]
    public async Task A_guest_has_its_hosts_labels_but_where_its_own_hide_them()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent agent = await fleet.StartHostAsync("h1", "web");
        HostHeartbeat beat = agent.Heartbeat() with { Labels = new Dictionary<string, string> { ["zone"] = "z1", ["pool"] = "a" } };
        beat = beat with { Guests = [beat.Guests[0] with { Labels = new Dictionary<string, string> { ["pool"] = "b" } }] };
        await coordinator.App.Services.GetRequiredService<RecordHeartbeat>().HandleAsync(beat, CancellationToken.None);

        (await coordinator.Client.ListHostsAsync(new Wire.ListHostsRequest())).Hosts.Single().Labels
            .ShouldBe([new("pool", "a"), new("zone", "z1")], ignoreOrder: true);
        (await coordinator.Client.ListGuestsAsync(new Wire.ListGuestsRequest())).Guests.Single().Labels
            .ShouldBe([new("zone", "z1"), new("pool", "b"), new("host", "h1"), new("guest", "web")], ignoreOrder: true);
    }

    [Fact]
    public async Task Hosts_that_beat_too_often_for_so_many_are_told_to_beat_more_seldom_until_they_do()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        await fleet.StartCoordinatorAsync("--Hosts:MaxHeartbeatsPerSecond=1", "--Hosts:PaceInterval=00:00:00.2");
        TestHostAgent often = await fleet.StartHostAsync("h1");
        TestHostAgent[] others = [await fleet.StartHostAsync("h2"), await fleet.StartHostAsync("h3"), await fleet.StartHostAsync("h4")];
        await often.BeatAsync(often.Heartbeat() with { Interval = Seconds(1) });
        await Eventually.Be(() => often.Paces.Count(told => told == Seconds(4)) > 2, "four hosts are told, while one does not do it, to beat once in four seconds");
        others.ShouldAllBe(host => host.Paces.Contains(Seconds(4)));

        // One that beats more seldom than it has to does so by its own wish.
        await often.BeatAsync(often.Heartbeat() with { Interval = Seconds(4) });
        await Eventually.Get(() => fleet.Read(db => db.Hosts.SingleAsync(row => row.Name == "h1")), row => row.HeartbeatInterval == Seconds(4), "h1 does it");
        await Eventually.Get(QuietAsync, quiet => quiet, "nothing more is said", every: Seconds(1));

        async Task<bool> QuietAsync()
        {
            int before = often.Paces.Count;
            await Task.Delay(Seconds(1), TestContext.Current.CancellationToken);
            return often.Paces.Count == before;
        }
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    [Fact]
    public async Task What_is_older_never_overwrites_what_is_newer()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent agent = await fleet.StartHostAsync("h1", "web");
        RecordHeartbeat record = coordinator.App.Services.GetRequiredService<RecordHeartbeat>();
        HostHeartbeat second = agent.Heartbeat();
        HostHeartbeat third = agent.Heartbeat() with { AgentVersion = "third" };

        (await Take(third)).ShouldBeTrue();
        (await Take(second)).ShouldBeFalse();
        (await Take(third)).ShouldBeFalse();

        // An agent that was started later wins with its first heartbeat, and its predecessor's last one is too late.
        HostHeartbeat restarted = third with
        {
            Incarnation = Guid.NewGuid(),
            Sequence = 1,
            StartedAt = third.StartedAt.AddSeconds(1),
            AgentVersion = "restarted",
        };
        (await Take(restarted)).ShouldBeTrue();
        (await Take(third with { Sequence = 100 })).ShouldBeFalse();
        (await fleet.Read(db => db.Hosts.SingleAsync())).AgentVersion.ShouldBe("restarted");

        Task<bool> Take(HostHeartbeat beat) => record.HandleAsync(beat, CancellationToken.None);
    }

    [Fact]
    public async Task Of_two_ways_in_which_a_guest_was_seen_the_later_sight_counts()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent agent = await fleet.StartHostAsync("h1", "web");
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        RecordHeartbeat record = coordinator.App.Services.GetRequiredService<RecordHeartbeat>();

        (await SeenAs(kernelB: true, now.AddSeconds(1))).ShouldBe("bbbb");
        (await SeenAs(kernelB: false, now)).ShouldBe("bbbb", "an earlier sight that arrives later");
        (await SeenAs(kernelB: false, now.AddSeconds(2))).ShouldBe("aaaa");
        (await SeenAs(kernelB: true, now.AddHours(-1))).ShouldBe("bbbb", "the host's clock was set back");
        await record.HandleAsync(Beat(null), CancellationToken.None);
        (await fleet.Read(db => db.Guests.SingleAsync())).BootId.ShouldBeNull("it does not run");

        HostHeartbeat Beat(GuestObservation? seen)
        {
            HostHeartbeat beat = agent.Heartbeat();
            return beat with { Guests = [.. beat.Guests.Select(guest => guest with { Observation = seen })] };
        }

        async Task<string?> SeenAs(bool kernelB, DateTimeOffset at)
        {
            await record.HandleAsync(Beat(TestHostAgent.Observation(kernelB) with { ObservedAt = at }), CancellationToken.None);
            return (await fleet.Read(db => db.Guests.SingleAsync())).BootId;
        }
    }

    [Fact]
    public async Task Of_many_at_once_the_newest_stays()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent agent = await fleet.StartHostAsync("h1", "web");
        RecordHeartbeat record = coordinator.App.Services.GetRequiredService<RecordHeartbeat>();
        HostHeartbeat[] beats = [.. Enumerable.Range(0, 20).Select(_ => agent.Heartbeat())];
        Random.Shared.Shuffle(beats);
        await Task.WhenAll(beats.Select(beat => record.HandleAsync(beat, CancellationToken.None)));
        (await fleet.Read(db => db.Hosts.SingleAsync())).Sequence.ShouldBe(21);
        (await fleet.Read(db => db.Guests.CountAsync())).ShouldBe(1);
    }

    [Fact]
    public async Task What_the_agent_observes_wins_and_the_epoch_survives_a_guest_that_comes_back()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent agent = await fleet.StartHostAsync("h1", "web");
        RecordHeartbeat record = coordinator.App.Services.GetRequiredService<RecordHeartbeat>();
        string id = (await coordinator.StartUpgradeAsync("h1")).Upgrades.Single().Id;
        await coordinator.WatchAsync(id);

        HostHeartbeat without = agent.Heartbeat() with { Guests = [], Images = [] };
        await record.HandleAsync(without, CancellationToken.None);
        (await coordinator.Client.ListGuestsAsync(new Wire.ListGuestsRequest())).Guests.ShouldBeEmpty();
        (await coordinator.Client.ListImagesAsync(new Wire.ListImagesRequest())).Images.ShouldBeEmpty();

        HostHeartbeat back = agent.Heartbeat();
        back = back with { Guests = [back.Guests[0] with { Observation = TestHostAgent.Observation(kernelB: true), ImageDigest = FleetUnderTest.ImageB }] };
        await record.HandleAsync(back, CancellationToken.None);
        GuestRecord guest = await fleet.Read(db => db.Guests.SingleAsync());
        (guest.GoneAt, guest.Epoch, guest.KernelRelease, guest.ImageDigest).ShouldBe((null, 1L, "6.12.1", FleetUnderTest.ImageB));
    }

    [Fact]
    public async Task A_heartbeat_that_cannot_be_is_refused_with_all_errors()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        TestHostAgent agent = await fleet.StartHostAsync("h1", "web");
        HostHeartbeat good = agent.Heartbeat();
        InvalidHeartbeatException refused = await Should.ThrowAsync<InvalidHeartbeatException>(() =>
            coordinator.App.Services.GetRequiredService<RecordHeartbeat>().HandleAsync(good with
            {
                Host = "H 1",
                Interval = TimeSpan.Zero,
                Guests = [good.Guests[0], good.Guests[0]],
                Images = [good.Images[0] with { Digest = "sha256:12" }],
                Labels = new Dictionary<string, string> { ["host"] = "h2", ["-zone"] = "z", ["rack"] = "r 1" },
            }, CancellationToken.None));
        refused.Message.ShouldContain("Host must be");
        refused.Message.ShouldContain("Interval");
        refused.Message.ShouldContain("more than once");
        refused.Message.ShouldContain("sha256:12");
        refused.Message.ShouldContain("Label 'host' is one that every guest has by itself");
        refused.Message.ShouldContain("Label '-zone' must be");
        refused.Message.ShouldContain("Value 'r 1' must be");
    }
}
