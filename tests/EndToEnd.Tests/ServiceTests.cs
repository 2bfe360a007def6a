using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A guest with a Redis, under a client that writes all the time: no write that was acknowledged is lost, whatever happens.</summary>
public sealed class ServiceTests(FleetFixture fleet)
{
    [Fact]
    public async Task Redis_goes_over_without_losing_a_write()
    {
        int port = FleetFixture.FreePort();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "redis", firstImage: HostUnderTest.ImageA + "-redis", forward: $"{port}:6379");
        await using RedisWriter writer = new(port);
        await using RedisWriter reader = new(port, reads: true);
        await writer.AcknowledgesAsync();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB + "-redis");

        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        await writer.AcknowledgesAsync();
        (await writer.MissingAsync()).ShouldBeEmpty();
        writer.Refused.ShouldBeEmpty();
        writer.LongestGap.ShouldBeLessThan(TimeSpan.FromSeconds(30));
        TimingRow[] parts = [.. upgrade.Steps.SelectMany(step => step.Timings).Where(timing => timing.Name.StartsWith("cutover.", StringComparison.Ordinal))];
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{writer.LatencyOf(upgrade)}; {writer.Acknowledged} writes, from kernel A to kernel B a reader waited {reader.GapBetweenServers():0} ms, the writer {writer.GapBetweenServers():0} ms, outage {upgrade.Outage.LongestGap}; {string.Join(", ", parts.Select(part => $"{part.Name} {part.Nanoseconds / 1e6:0.0} ms"))}");
        string[] gap = ["cutover.pause.redis", "cutover.sync.redis", "cutover.park", "cutover.notice", "cutover.adopt", "cutover.network", "cutover.promote.redis"];
        gap.ShouldBeSubsetOf(parts.Select(part => part.Name));
        writer.Servers.Count.ShouldBe(2);
        writer.InTheProbation(upgrade).ShouldNotBeEmpty("writes wait for the commit");
    }

    /// <summary>By its own will, or by dying: what it had been told to keep is in kernel A, and something was.</summary>
    [Theory]
    [InlineData("refusing", "HookFailed")]
    [InlineData("panic-serving-redis", "")]
    public async Task Kernel_B_that_goes_in_its_probation_takes_no_write_with_it(string variant, string failure)
    {
        int port = FleetFixture.FreePort();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, variant[..8], firstImage: HostUnderTest.ImageA + "-redis", forward: $"{port}:6379");
        await using RedisWriter writer = new(port);
        await writer.AcknowledgesAsync();
        Guest before = await host.GuestAsync();

        Upgrade upgrade = await host.UpgradeAsync($"{HostUnderTest.ImageB}-{variant}");

        upgrade.State.ShouldBe("RolledBack", upgrade.Reason);
        if (failure.Length > 0)
        {
            upgrade.Failure.ShouldBe(failure, upgrade.Reason);
            upgrade.Reason.ShouldContain($"Hook 10-refuses (post cutover) ended with 7: \"the new kernel does not suit {before.KernelRelease}\"");
        }

        await Eventually.TrueAsync(TimeSpan.FromMinutes(1), "kernel A serves", async () => await host.GuestAsync() is { State: "running" } guest && guest.BootId == before.BootId);
        await writer.AcknowledgesAsync();
        (await writer.MissingAsync()).ShouldBeEmpty();
        writer.Refused.ShouldBeEmpty();
        TestContext.Current.TestOutputHelper!.WriteLine($"{string.Join(", ", writer.Servers)}; longest gap {writer.LongestGap.TotalMilliseconds:0} ms");
        string[] servers = [.. writer.Servers.Select(server => server.Server)];
        if (failure.Length > 0)
        {
            servers.Length.ShouldBe(3, "kernel A, kernel B, kernel A");
        }

        // The one that panics dies a second after it has the card, on a busy machine before its first answer.
        servers[^1].ShouldBe(servers[0]);
    }
}
