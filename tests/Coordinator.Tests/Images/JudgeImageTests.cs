using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Images;

public sealed class JudgeImageTests(ServersFixture servers)
{
    [Fact]
    public async Task An_image_is_proven_by_an_upgrade_and_nobody_is_brought_to_a_denied_one()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        await fleet.StartHostAsync("h1", "web");
        (await StateAsync()).ShouldBe("verified");
        await coordinator.WatchAsync((await coordinator.StartUpgradeAsync("h1")).Upgrades.Single().Id);
        (await StateAsync()).ShouldBe("proven");

        Wire.JudgeImageRequest judge = new() { Image = "bbbbbbbb0000", Reason = "panics under load", Actor = "ann" };
        (await coordinator.Client.DenyImageAsync(judge)).State.ShouldBe("denied");
        await coordinator.Client.DenyImageAsync(judge);
        (await Should.ThrowAsync<RpcException>(() => coordinator.StartUpgradeAsync("h1"))).Status.Detail.ShouldContain("is denied: panics under load");
        (await coordinator.Client.AllowImageAsync(judge)).State.ShouldBe("proven");
        (await coordinator.StartUpgradeAsync("h1")).Upgrades.Count.ShouldBe(1);

        List<AuditEntry> audit = await fleet.Read(db => db.Audit.OrderBy(entry => entry.Id).ToListAsync());
        audit.Where(entry => entry.Act != "upgrade-ended").Select(entry => (entry.Actor, entry.Act))
            .ShouldBe([("ann", "deny-image"), ("ann", "allow-image")], "the second denial changed nothing");
        (audit[0].Actor, audit[0].Act, audit[0].Subject).ShouldBe(("coordinator", "upgrade-ended", "h1/web"));
        audit[0].Detail.ShouldEndWith("to debian-6.12: Completed");

        RpcException refused = await Should.ThrowAsync<RpcException>(async () => await coordinator.Client.DenyImageAsync(new Wire.JudgeImageRequest()));
        Wire.Violations.Parser.ParseFrom(refused.Trailers.GetValueBytes("twinkernel-violations-bin")).Violations_
            .Select(one => one.Field).ShouldBe(["actor", "reason", "image"]);

        async Task<string> StateAsync() =>
            (await coordinator.Client.ListImagesAsync(new Wire.ListImagesRequest())).Images.Single(image => image.Digest == FleetUnderTest.ImageB).State;
    }
}
