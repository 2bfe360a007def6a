using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Real VMs that are upgraded without a twin, chosen by hand and by policy; and one whose new kernel does not come up.</summary>
public sealed class StrategyTests(FleetFixture fleet)
{
    [Fact]
    public async Task By_reboot_a_guest_comes_back_on_the_new_image_and_on_the_old_one_when_that_panics()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "reboots");
        Guest before = await host.GuestAsync();

        Upgrade failed = await host.UpgradeAsync(HostUnderTest.ImageB + "-panic", "reboot");
        (failed.State, failed.Strategy, failed.FailedStep, failed.Failure).ShouldBe(("RolledBack", "Reboot", "CutOver", "MachineGone"), failed.Reason);
        (failed.KernelReleaseAfter, failed.BootIdAfter == before.BootId).ShouldBe((before.KernelRelease, false), "A has ended; its image serves");
        await BackAsync(host, before);

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB, "reboot");
        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        upgrade.Steps.Select(step => step.Step).ShouldBe(["Preflight", "CutOver", "Probation", "Commit"]);
        await ServesAsync(host, upgrade, cpus: 2);
    }

    [Fact]
    public async Task A_guest_with_one_CPU_cannot_twin_and_goes_by_kexec_where_the_policy_allows_it()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "single", cpus: 1);
        Guest before = await host.GuestAsync();
        int machine = host.MachineProcess();

        Upgrade refused = await host.UpgradeAsync(HostUnderTest.ImageB, "twin");
        (refused.State, refused.FailedStep, refused.Failure).ShouldBe(("RolledBack", "Preflight", "PreflightBlocked"));
        refused.Reason.ShouldContain("one CPU is online");
        refused.Reason.ShouldContain("--strategy kexec");

        Upgrade unsigned = await host.UpgradeAsync(HostUnderTest.ImageB + "-unsigned", "auto", requireSignature: true);
        (unsigned.State, unsigned.FailedStep, unsigned.Failure).ShouldBe(("RolledBack", "Load", "SignatureRejected"), unsigned.Reason);
        unsigned.Reason.ShouldContain("signature is unsigned");
        (await host.GuestAsync()).BootId.ShouldBe(before.BootId, "nothing was executed");
        host.MachineProcess().ShouldBe(machine);

        Upgrade failed = await host.UpgradeAsync(HostUnderTest.ImageB + "-panic", "kexec");
        (failed.State, failed.Strategy, failed.FailedStep, failed.Failure).ShouldBe(("RolledBack", "Kexec", "CutOver", "MachineGone"), failed.Reason);
        (failed.KernelReleaseAfter, failed.BootIdAfter == before.BootId).ShouldBe((before.KernelRelease, false), "A has ended; its image serves");
        await BackAsync(host, before);
        machine = host.MachineProcess();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB, "auto");
        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        (upgrade.Strategy, upgrade.StrategyReason.Contains("one CPU is online", StringComparison.Ordinal)).ShouldBe(("Kexec", true), upgrade.StrategyReason);
        upgrade.Steps.Select(step => step.Step).ShouldBe(["Preflight", "Load", "CutOver", "Probation", "Commit"]);
        await ServesAsync(host, upgrade, cpus: 1);
        host.MachineProcess().ShouldBe(machine, "the machine ran on");
    }

    private static async Task ServesAsync(HostUnderTest host, Upgrade upgrade, uint cpus)
    {
        upgrade.KernelReleaseAfter.ShouldStartWith("6.12.");
        (upgrade.CpusOnlineAfter, upgrade.CpusPresentAfter, upgrade.MachineMemoryOwnedAfter).ShouldBe((cpus, cpus, upgrade.MachineMemoryBytes));
        upgrade.Outage.Interrupted.ShouldBeFalse();
        upgrade.Outage.LongestGap.ToTimeSpan().ShouldBeGreaterThan(TimeSpan.FromMilliseconds(500), "a boot lies in it");
        await host.RunningAsync();
        Guest after = await host.GuestAsync();
        (after.KernelRelease, after.BootId, after.Image).ShouldBe((upgrade.KernelReleaseAfter, upgrade.BootIdAfter, upgrade.Image));
        (await UdpEcho.AskAsync(after.Address)).ShouldBe(upgrade.BootIdAfter);
    }

    private static Task BackAsync(HostUnderTest host, Guest before) => Eventually.TrueAsync(TimeSpan.FromMinutes(2), "the guest serves on its old image", async () =>
        await host.GuestAsync() is { State: "running", ActiveUpgrade: "" } guest && guest.KernelRelease == before.KernelRelease
        && guest.Image == before.Image && guest.CpusOnline == before.CpusOnline);
}
