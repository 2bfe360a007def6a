using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A guest with a PostgreSQL, by eng/test-services, under a client that writes all the time: no write that was acknowledged is lost, whatever happens.</summary>
public sealed class PostgresTests(FleetFixture fleet)
{
    /// <summary>And the kernel that has taken over hands over in its turn.</summary>
    [Fact(Explicit = true)]
    public async Task PostgreSQL_goes_over_without_losing_a_write_twice_in_a_row()
    {
        int port = FreePort.Tcp();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "postgresql", firstImage: HostUnderTest.ImageA + "-postgresql", forward: $"{port}:5432");
        await using PostgresWriter writer = new(port);
        await using PostgresWriter reader = new(port, reads: true);

        await writer.AcknowledgesAsync(ServiceWriter.BootMinutes);
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

    /// <summary>It dies while kernel A asks for its last sync, inside the gap, in its probation, and is refused there by a hook. It answers no commit before its own.</summary>
    [Fact(Explicit = true)]
    public async Task Kernel_B_that_goes_takes_no_write_with_it()
    {
        int port = FreePort.Tcp();
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "pg-goes", firstImage: HostUnderTest.ImageA + "-postgresql", forward: $"{port}:5432");
        await using PostgresWriter writer = new(port);

        await KernelBThatGoes.PlayAsync(host, writer, "dies-agreed-postgresql", "dies-adopting-postgresql", "panic-serving-postgresql", "refusing-postgresql");

        writer.Servers.Count.ShouldBe(1, "kernel B acknowledged a write");
    }
}
