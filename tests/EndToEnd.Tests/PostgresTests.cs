using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A guest with a PostgreSQL, under a client that writes all the time: no write that was acknowledged is lost, whatever happens.</summary>
public sealed class PostgresTests(FleetFixture fleet)
{
    /// <summary>An emulated machine takes a minute for initdb when it is busy.</summary>
    private const int BootMinutes = 3;

    /// <summary>And the kernel that has taken over hands over in its turn.</summary>
    [Fact]
    public async Task PostgreSQL_goes_over_without_losing_a_write_twice_in_a_row()
    {
        int port = FleetFixture.FreePort();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "postgresql", firstImage: HostUnderTest.ImageA + "-postgresql", forward: $"{port}:5432");
        await using PostgresWriter writer = new(port);
        await using PostgresWriter reader = new(port, reads: true);

        await writer.AcknowledgesAsync(BootMinutes);
        foreach (string image in (string[])[HostUnderTest.ImageB, HostUnderTest.ImageA])
        {
            await writer.AcknowledgesAsync();
            Upgrade upgrade = await host.UpgradeAsync(image + "-postgresql");
            upgrade.State.ShouldBe("Completed", upgrade.Reason);
            await writer.AcknowledgesAsync();
            TimingRow[] parts = [.. upgrade.Steps.SelectMany(step => step.Timings).Where(timing => timing.Name.StartsWith("cutover.", StringComparison.Ordinal) || timing.Name == "standby.services")];
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{ServiceWriter.Quartiles(writer.Answers)} in all, {writer.LatencyOf(upgrade)}; from one kernel to the other a reader waited {reader.GapBetweenServers():0} ms, the writer {writer.GapBetweenServers():0} ms, outage {upgrade.Outage.LongestGap}; {string.Join(", ", parts.Select(part => $"{part.Name} {part.Nanoseconds / 1e6:0.0} ms"))}");
            string[] wanted = ["cutover.pause.postgresql", "cutover.sync.postgresql", "cutover.promote.postgresql"];
            wanted.ShouldBeSubsetOf(parts.Select(part => part.Name));
            writer.InTheProbation(upgrade).ShouldBeEmpty("it was acknowledged while it could be lost");
        }

        writer.Servers.Count.ShouldBe(3);
        (await writer.MissingAsync()).ShouldBeEmpty();
        writer.Refused.ShouldBeEmpty();
        reader.Refused.ShouldBeEmpty();
    }

    /// <summary>By its own will, or by dying: it has acknowledged nothing that kernel A does not have.</summary>
    [Theory]
    [InlineData("refusing-postgresql", "HookFailed")]
    [InlineData("panic-serving-postgresql", "")]
    public async Task Kernel_B_that_goes_in_its_probation_takes_no_write_with_it(string variant, string failure)
    {
        int port = FleetFixture.FreePort();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, $"pg-{variant[..8]}", firstImage: HostUnderTest.ImageA + "-postgresql", forward: $"{port}:5432");
        await using PostgresWriter writer = new(port);
        await writer.AcknowledgesAsync(BootMinutes);
        Guest before = await host.GuestAsync();

        Upgrade upgrade = await host.UpgradeAsync($"{HostUnderTest.ImageB}-{variant}");

        upgrade.State.ShouldBe("RolledBack", upgrade.Reason);
        upgrade.Failure.ShouldBe(failure.Length > 0 ? failure : upgrade.Failure, upgrade.Reason);
        await Eventually.TrueAsync(TimeSpan.FromMinutes(1), "kernel A serves", async () => await host.GuestAsync() is { State: "running" } guest && guest.BootId == before.BootId);
        await writer.AcknowledgesAsync();
        (await writer.MissingAsync()).ShouldBeEmpty();
        writer.Refused.ShouldBeEmpty();
        TestContext.Current.TestOutputHelper!.WriteLine($"{string.Join(", ", writer.Servers)}; longest gap {writer.LongestGap.TotalMilliseconds:0} ms");
        writer.Servers.Count.ShouldBe(1, "kernel B acknowledged a write");
    }
}
