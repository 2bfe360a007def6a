using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Two real VMs on two hosts, brought to the new kernel one after the other by one rollout.</summary>
public sealed class RolloutTests(FleetFixture fleet)
{
    [Fact]
    public async Task A_rollout_upgrades_the_canary_and_then_the_other_guest()
    {
        Task<HostUnderTest> booting = HostUnderTest.StartAsync(fleet, "wave-1");
        await using HostUnderTest second = await HostUnderTest.StartAsync(fleet, "wave-2");
        await using HostUnderTest first = await booting;
        (await fleet.Client.ListHostsAsync(new ListHostsRequest())).Hosts.Single(host => host.Name == first.Name).Labels["zone"].ShouldBe("test");

        (int exitCode, string output, string error) = await fleet.CliAsync(
            "rollout", "create", "--name", "e2e", "--image", HostUnderTest.ImageB, "--selector", "zone=test,host in (wave-1,wave-2)",
            "--canary", "1", "--settle", "1s", "--start", "--watch", "--as", "test");

        exitCode.ShouldBe(0, output + error);
        Rollout rollout = await fleet.Client.GetRolloutAsync(new GetRolloutRequest { Rollout = "e2e" });
        (rollout.State, rollout.Succeeded).ShouldBe(("Completed", true), output);
        rollout.Waves.Select(wave => wave.Guests).ShouldBe([1u, 1u]);
        List<Upgrade> upgrades = [];
        foreach (RolloutMember member in rollout.Members)
        {
            (member.State, member.Attempt).ShouldBe(("Succeeded", 1u), member.Why);
            upgrades.Add(await fleet.Client.GetUpgradeAsync(new GetUpgradeRequest { Id = member.Upgrade }));
        }

        upgrades.ShouldAllBe(upgrade => upgrade.State == "Completed" && upgrade.KernelReleaseAfter.StartsWith("6.12."));
        (upgrades[1].Created.ToDateTimeOffset() - upgrades[0].Finished.ToDateTimeOffset())
            .ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(1), "the canary has settled before the other one begins");
        foreach (HostUnderTest host in (HostUnderTest[])[first, second])
        {
            await host.RunningAsync();
            (await UdpEcho.AskAsync((await host.GuestAsync()).Address)).ShouldBe(upgrades.Single(upgrade => upgrade.Host == host.Name).BootIdAfter);
        }
    }
}
