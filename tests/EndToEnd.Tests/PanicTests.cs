using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Kernel A panics while kernel B stands by: its image is one that does (images/build, variants panic-armed and panic-ready).</summary>
public sealed class PanicTests(FleetFixture fleet)
{
    [Fact]
    public async Task With_the_policy_B_takes_the_machine_over_and_the_upgrade_is_completed()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "fails-over", firstImage: HostUnderTest.ImageA + "-panic-armed");
        Guest before = await host.GuestAsync();
        int machine = host.MachineProcess();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB, onPanic: "failover");

        (upgrade.State, upgrade.Succeeded, upgrade.OnPanic, upgrade.Failure).ShouldBe(("Completed", true, "Failover", ""), upgrade.Reason);
        upgrade.TakenOver.ShouldContain("Kernel panic - not syncing: sysrq triggered crash");
        upgrade.Steps.Select(step => step.Step).ShouldNotContain("RollBack");
        upgrade.Steps[^1].Step.ShouldBe("Commit");
        upgrade.KernelReleaseAfter.ShouldStartWith("6.12.");
        (upgrade.CpusOnlineAfter, upgrade.CpusPresentAfter).ShouldBe((2u, 2u));
        upgrade.MachineMemoryOwnedAfter.ShouldBe(upgrade.MachineMemoryBytes);
        host.MachineProcess().ShouldBe(machine, "the machine was not reset");
        await Eventually.TrueAsync(TimeSpan.FromMinutes(1), "the guest runs on the new image", async () =>
            await host.GuestAsync() is { State: "running", CpusOnline: 2 } guest && guest.BootId == upgrade.BootIdAfter && guest.Image == upgrade.Image);
        (await UdpEcho.AskAsync(before.Address)).ShouldBe(upgrade.BootIdAfter);
    }

    [Fact]
    public async Task Without_it_the_machine_is_reset_and_comes_back_on_A()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "resets", firstImage: HostUnderTest.ImageA + "-panic-ready");
        Guest before = await host.GuestAsync();
        int machine = host.MachineProcess();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB);

        (upgrade.State, upgrade.Failure, upgrade.OnPanic, upgrade.TakenOver).ShouldBe(("RolledBack", "MachineGone", "Reset", ""), upgrade.Reason);
        await Eventually.TrueAsync(TimeSpan.FromMinutes(2), "the guest answers on kernel A again", async () =>
            await host.GuestAsync() is { State: "running", CpusOnline: 2 } guest && guest.KernelRelease == before.KernelRelease && guest.BootId != before.BootId);
        host.MachineProcess().ShouldNotBe(machine);
    }
}
