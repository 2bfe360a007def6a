using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Both kernels of a guest at their serial ports.</summary>
public sealed class ConsoleTests(FleetFixture fleet)
{
    /// <summary>Its hash, in console-password, is in the images.</summary>
    private const string Password = "only for tests";

    [Fact]
    public async Task Both_kernels_are_logged_in_to_at_once_and_the_new_ones_session_outlives_the_commit()
    {
        await using HostUnderTest host = await HostUnderTest.StartAsync(fleet, "consoles", firstImage: HostUnderTest.ImageA + "-login");
        Guest before = await host.GuestAsync();
        Upgrade started = await host.StartUpgradeAsync(HostUnderTest.ImageB + "-login");
        (await host.FollowAsync(started.Id, "Standby")).State.ShouldBe("Standby");
        // Nobody gives the next command: A goes on serving, with B beside it.
        await host.KillAgentAsync();

        await using GuestConsole a = host.Attach(1);
        await using GuestConsole b = host.Attach(2);
        await Task.WhenAll(a.LoginAsync(Password), b.LoginAsync(Password));
        await Task.WhenAll(a.TypeAsync("uname -r\r"), b.TypeAsync("uname -r\r"));
        string releaseOfB = (await b.ExpectAsync(@"\n(6\.12\.\S+)")).Groups[1].Value;
        (await a.ExpectAsync(@"\n(6\.1\.\S+)")).Groups[1].Value.ShouldBe(before.KernelRelease);
        (await UdpEcho.AskAsync(before.Address)).ShouldBe(before.BootId);
        (await host.AttachRefusedAsync(2)).ShouldContain("attached to already");
        (await a.LeaveAsync()).ShouldBe(0);

        host.RestartAgent();
        Upgrade upgrade = await host.EndAsync(started.Id);
        upgrade.State.ShouldBe("Completed", upgrade.Reason);
        upgrade.KernelReleaseAfter.ShouldBe(releaseOfB);
        await b.TypeAsync("grep ttyS1 /proc/interrupts\r");
        await b.ExpectAsync("TWIN-IOAPIC .*ttyS1");
        await b.TypeAsync("uname -r\r");
        (await b.ExpectAsync(@"\n(6\.12\.\S+)")).Groups[1].Value.ShouldBe(releaseOfB);
    }
}
