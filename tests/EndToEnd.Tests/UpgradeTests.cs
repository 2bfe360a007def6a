using System.Globalization;
using Npgsql;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>A real VM, upgraded from Debian's 6.1 to its 6.12 through every part of the system.</summary>
public sealed class UpgradeTests(FleetFixture fleet)
{
    [Fact]
    public async Task Upgrade_through_the_command_line_ends_on_B_with_everything()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "through");
        Guest before = await host.GuestAsync();
        before.KernelRelease.ShouldStartWith("6.1.");

        (int exitCode, string output, string error) = await fleet.CliAsync("upgrade", "start", "--host", host.Name, "--image", HostUnderTest.ImageB, "--watch");

        exitCode.ShouldBe(0, output + error);
        Upgrade upgrade = (await fleet.Client.ListUpgradesAsync(new ListUpgradesRequest { Host = host.Name })).Upgrades.Single();
        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        upgrade.KernelReleaseBefore.ShouldBe(before.KernelRelease);
        upgrade.KernelReleaseAfter.ShouldStartWith("6.12.");
        upgrade.BootIdBefore.ShouldBe(before.BootId);
        upgrade.BootIdAfter.ShouldNotBe(before.BootId);
        upgrade.CpusOnlineAfter.ShouldBe(2u);
        upgrade.CpusPresentAfter.ShouldBe(2u);
        upgrade.MachineMemoryBytes.ShouldBeGreaterThan(2000ul << 20);
        upgrade.MachineMemoryOwnedAfter.ShouldBe(upgrade.MachineMemoryBytes);
        upgrade.Outage.ShouldNotBeNull();
        upgrade.Outage.Interrupted.ShouldBeFalse();
        upgrade.Outage.LongestGap.ToTimeSpan().ShouldBeGreaterThan(TimeSpan.Zero);
        upgrade.Outage.Answered.ShouldBeGreaterThan(0ul);
        output.ShouldContain(upgrade.KernelReleaseAfter);
        output.ShouldContain(upgrade.BootIdAfter);
        (await RowAsync(upgrade.Id)).ShouldBe(("Completed", upgrade.KernelReleaseAfter));

        await host.RunningAsync();
        Guest after = await host.GuestAsync();
        after.KernelRelease.ShouldBe(upgrade.KernelReleaseAfter);
        after.Image.ShouldBe(upgrade.Image);
        Inspection inspection = await host.InspectAsync();
        inspection.Status.BootId.ShouldBe(upgrade.BootIdAfter);
        inspection.Cpus.Select(cpu => cpu.Owner).ShouldBe(["this kernel", "this kernel"]);
        inspection.Functions.ShouldContain(function => function.NetworkInterface == inspection.Status.NetworkInterface && function.Driver == "virtio-pci");
        inspection.Slots.ShouldBeEmpty();
        (await UdpEcho.AskAsync(after.Address)).ShouldBe(upgrade.BootIdAfter);
    }

    [Fact]
    public async Task Image_whose_bytes_are_not_those_of_its_manifest_is_refused_and_the_next_attempt_works()
    {
        string images = Path.Combine(fleet.Directory, "damaged-images");
        HostUnderTest.CopyImages(images, HostUnderTest.ImageA, HostUnderTest.ImageB);
        string initrd = Path.Combine(images, HostUnderTest.ImageB, "initrd.img");
        byte[] sound = await File.ReadAllBytesAsync(initrd);
        byte[] damaged = [.. sound];
        damaged[damaged.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(initrd, damaged);
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "damaged", images);
        Guest before = await host.GuestAsync();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB);

        upgrade.State.ShouldBe("RolledBack");
        upgrade.FailedStep.ShouldBe("Preflight");
        upgrade.Failure.ShouldBe("ImageDigestMismatch");
        upgrade.Reason.ShouldContain("initrd");
        await BackOnAAsync(host, before);

        await File.WriteAllBytesAsync(initrd, sound);
        await host.UpgradesAsync(HostUnderTest.ImageB);
    }

    [Fact]
    public async Task B_that_panics_in_early_boot_leaves_A_whole_and_the_next_attempt_works()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "panics");
        Guest before = await host.GuestAsync();

        Upgrade upgrade = await host.UpgradeAsync(HostUnderTest.ImageB + "-panic");

        upgrade.State.ShouldBe("RolledBack");
        upgrade.FailedStep.ShouldBe("Standby");
        upgrade.Failure.ShouldBe("StandbyKernelPanicked");
        upgrade.Reason.ShouldContain("Kernel panic");
        await BackOnAAsync(host, before);

        await host.UpgradesAsync(HostUnderTest.ImageB);
    }

    /// <summary>After the cut-over: A's watch sees a kernel that has panicked; one that is deaf gives the machine back by itself.</summary>
    [Theory]
    [InlineData("panic-serving")]
    [InlineData("deaf")]
    public async Task B_that_fails_after_the_cut_over_gives_way_to_A_which_was_never_restarted(string variant)
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, variant);
        Guest before = await host.GuestAsync();

        Upgrade upgrade = await host.UpgradeAsync($"{HostUnderTest.ImageB}-{variant}");

        upgrade.State.ShouldBe("RolledBack", upgrade.Reason);
        // On a busy host kernel B may have failed before its first answer was seen.
        (upgrade.FailedStep, upgrade.Failure).ShouldBeOneOf(("Probation", "ProbationFailed"), ("CutOver", "CutOverReturned"));
        upgrade.Outage.LongestGap.ToTimeSpan().ShouldBeInRange(TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), "A serves again, and before all deadlines are over");
        await BackOnAAsync(host, before);
    }

    /// <summary>A sample, with a real VM, of what <c>make test-faults</c> does at every step.</summary>
    [Fact]
    public async Task Broker_database_agent_and_coordinator_are_killed_one_after_the_other_and_the_upgrade_is_finished()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "killed");
        Guest before = await host.GuestAsync();
        Upgrade started = await host.StartUpgradeAsync(HostUnderTest.ImageB);

        (await host.FollowAsync(started.Id, "Load")).State.ShouldBe("Load");
        await fleet.Servers.RestartBrokerAsync();
        (await host.FollowAsync(started.Id, "Standby")).State.ShouldBe("Standby");
        await host.KillAgentAsync();
        host.RestartAgent();
        await fleet.Servers.KillPostgresAsync();
        await fleet.Servers.StartPostgresAsync();
        (await host.FollowAsync(started.Id, "Transfer", "CutOver")).State.ShouldBeOneOf("Transfer", "CutOver");
        await fleet.RestartCoordinatorAsync();

        Upgrade upgrade = await host.EndAsync(started.Id);
        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        upgrade.Steps.Select(step => step.Step).ShouldBe(["Preflight", "Reserve", "Load", "Boot", "Standby", "Transfer", "CutOver", "Probation", "Commit"], "each once");
        upgrade.KernelReleaseAfter.ShouldStartWith("6.12.");
        upgrade.BootIdBefore.ShouldBe(before.BootId);
        upgrade.MachineMemoryOwnedAfter.ShouldBe(upgrade.MachineMemoryBytes);
    }

    [Fact]
    public async Task Machine_that_dies_in_the_middle_comes_back_on_A()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "dies");
        Guest before = await host.GuestAsync();
        Upgrade started = await host.StartUpgradeAsync(HostUnderTest.ImageB);
        (await host.FollowAsync(started.Id, "Standby")).State.ShouldBe("Standby");

        System.Diagnostics.Process.GetProcessById(host.MachineProcess()).Kill();

        Upgrade upgrade = await host.EndAsync(started.Id);
        upgrade.State.ShouldBe("RolledBack", upgrade.Reason);
        upgrade.FailedStep.ShouldBe("Standby");
        upgrade.Failure.ShouldBe("MachineGone");
        await Eventually.TrueAsync(TimeSpan.FromMinutes(2), "the guest answers on kernel A again", async () =>
            await host.GuestAsync() is { State: "running", CpusOnline: 2 } guest && guest.KernelRelease == before.KernelRelease);
        await host.UpgradesAsync(HostUnderTest.ImageB);
    }

    private static async Task BackOnAAsync(HostUnderTest host, Guest before)
    {
        await Eventually.TrueAsync(TimeSpan.FromMinutes(1), "kernel A has everything again", async () =>
        {
            Guest guest = await host.GuestAsync();
            return guest.State == "running" && guest.ActiveUpgrade.Length == 0 && guest.BootId == before.BootId
                && guest.CpusOnline == before.CpusOnline && guest.MemoryBytes == before.MemoryBytes;
        });
        (await UdpEcho.AskAsync(before.Address)).ShouldBe(before.BootId);
    }

    private async Task<(string State, string Release)> RowAsync(string upgrade)
    {
        await using NpgsqlConnection connection = new(fleet.Servers.PostgresConnectionString);
        await connection.OpenAsync();
        await using NpgsqlCommand query = new("select state, kernel_release_after from upgrades where id = $1", connection)
        {
            Parameters = { new NpgsqlParameter { Value = Guid.Parse(upgrade, CultureInfo.InvariantCulture) } },
        };
        await using NpgsqlDataReader reader = await query.ExecuteReaderAsync();
        (await reader.ReadAsync()).ShouldBeTrue();
        return (reader.GetString(0), reader.GetString(1));
    }
}
