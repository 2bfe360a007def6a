using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A guest with a service that keeps its data in preserved memory, under a client that writes all the time: both kernels have the same data.</summary>
public sealed class InPlaceTests(FleetFixture fleet)
{
    private const ulong LedgerBytes = 64ul << 20;

    [Fact]
    public async Task A_service_goes_on_in_kernel_B_with_the_memory_that_it_had_in_kernel_A()
    {
        int port = FreePort.Tcp();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "in-place", firstImage: HostUnderTest.ImageA + "-ledger", forward: $"{port}:6379");
        await using RedisWriter writer = new(port);
        await writer.AcknowledgesAsync();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB + "-ledger");

        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        await writer.AcknowledgesAsync();
        (await host.InspectAsync()).Memory.Single(piece => piece.Owner == "preserved: ledger").Bytes.ShouldBe(LedgerBytes);
        (await writer.MissingAsync()).ShouldBeEmpty();
        writer.Refused.ShouldBeEmpty();
        TestContext.Current.TestOutputHelper!.WriteLine($"{writer.Acknowledged} writes, longest gap {writer.LongestGap.TotalMilliseconds:0} ms, outage {upgrade.Outage.LongestGap}");
    }

    /// <summary>No write is held in the probation: those that kernel B acknowledged before it died are in the memory that kernel A goes on with.</summary>
    [Fact]
    public async Task Kernel_A_comes_back_to_what_a_kernel_B_that_panics_has_written()
    {
        int port = FreePort.Tcp();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "in-place-back", firstImage: HostUnderTest.ImageA + "-ledger", forward: $"{port}:6379");
        await using RedisWriter writer = new(port);
        await writer.AcknowledgesAsync();
        Guest before = await host.GuestAsync();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB + "-panic-serving-ledger");

        upgrade.State.ShouldBe("RolledBack", upgrade.Reason);
        await Eventually.TrueAsync(TimeSpan.FromMinutes(1), "kernel A serves", async () => await host.GuestAsync() is { State: "running" } guest && guest.BootId == before.BootId);
        await writer.AcknowledgesAsync();
        (await writer.MissingAsync()).ShouldBeEmpty();
        writer.Refused.ShouldBeEmpty();
    }
}
