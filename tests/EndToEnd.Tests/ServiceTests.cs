using System.Net.Sockets;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A guest with a Redis, under a client that writes all the time: no write that was acknowledged is lost, whatever happens.</summary>
public sealed class ServiceTests(FleetFixture fleet)
{
    [Fact]
    public async Task Redis_goes_over_without_losing_a_write()
    {
        int port = FreePort.Tcp();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "redis", firstImage: HostUnderTest.ImageA + "-redis", forward: $"{port}:6379");
        await using RedisWriter writer = new(port);
        await using RedisWriter reader = new(port, reads: true);
        await writer.AcknowledgesAsync();
        using TcpClient idle = new();
        await idle.ConnectAsync("127.0.0.1", port);
        await idle.GetStream().WriteAsync("PING\r\n"u8.ToArray());
        (await idle.GetStream().ReadAsync(new byte[64])).ShouldBe("+PONG\r\n".Length);
        Task<int> end = idle.GetStream().ReadAsync(new byte[64]).AsTask();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB + "-redis");

        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        await Eventually.TrueAsync(TimeSpan.FromSeconds(10), "a client that only waits is told that its server has gone", () => Task.FromResult(end.IsCompleted));
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

    /// <summary>It dies while kernel A waits for its last sync, inside the gap, in its probation, and is refused there by a hook: what was acknowledged is in kernel A.</summary>
    [Fact]
    public async Task Kernel_B_that_goes_takes_no_write_with_it()
    {
        int port = FreePort.Tcp();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "goes", firstImage: HostUnderTest.ImageA + "-redis", forward: $"{port}:6379");
        await using RedisWriter writer = new(port);

        await KernelBThatGoes.PlayAsync(host, writer, "dies-agreed", "dies-adopting", "panic-serving-redis", "refusing");

        // The first two answer nobody, the third a few on a machine that is not busy, the last for seconds.
        writer.Servers.Count.ShouldBeGreaterThanOrEqualTo(3);
    }
}
