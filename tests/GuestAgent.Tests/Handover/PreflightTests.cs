using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;

namespace TwinKernel.Fleet.GuestAgent.Tests.Handover;

public sealed class PreflightTests
{
    private static readonly PreflightQuestion Question = new("u1", 0, 14 * FakeGuest.MiB, 20 * FakeGuest.MiB);

    [Fact]
    public void A_fit_guest_passes_every_check_and_nothing_is_touched()
    {
        using Scenario scenario = new();
        IReadOnlyList<PreflightCheck> checks = scenario.Steps.Preflight.Run(Question);
        checks.ShouldAllBe(check => check.Passed);
        checks.Select(check => check.Name).ShouldBe(
            ["module", "upgrade", "kexec", "kexec-memory", "hooks", "services", "preserved", "cpus", "lockdown", "memory", "memory-available", "image", "network-function", "ipi-shorthand", "ecam", "parent"], ignoreOrder: true);
        scenario.Guest.Writes.ShouldBeEmpty();
        scenario.ShouldBeWhole();
    }

    [Fact]
    public void All_blockers_are_told_at_once()
    {
        using Scenario scenario = new(cpus: 1, blocks: 3);
        scenario.Guest.Put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        scenario.Guest.Put("/proc/meminfo", "MemTotal: 393216 kB\nMemAvailable: 200000 kB\n");
        scenario.Guest.Put("/proc/mounts", "/dev/vda1 / ext4 rw 0 0\n");
        scenario.Guest.Link("/sys/class/block/vda1", $"/sys/devices/pci0000:00/{FakeGuest.Function}/virtio0/net");
        scenario.Device.IpiShorthand = true;
        scenario.Device.Ecam = 0;
        scenario.Device.AbiVersion = 99;
        scenario.Device.HasParent = true;
        IReadOnlyList<PreflightCheck> checks = scenario.Steps.Preflight.Run(Question with { KernelBytes = 90 * FakeGuest.MiB });
        checks.Where(check => check.Passed).Select(check => check.Name).ShouldBe(["upgrade", "kexec", "hooks", "services", "preserved"]);
        checks.Single(check => check.Name == "network-function").Message.ShouldContain("/dev/vda1 on /");
        checks.Single(check => check.Name == "ipi-shorthand").Message.ShouldContain("no_ipi_broadcast=1");
        checks.Single(check => check.Name == "module").Message.ShouldContain("99");
    }

    [Theory]
    [InlineData("1", "quiet", false)]
    [InlineData("1", "quiet crash_kexec_post_notifiers", true)]
    [InlineData("0", "quiet", true)]
    public void A_crash_kernel_would_run_instead_of_kernel_B(string loaded, string commandLine, bool passes)
    {
        using Scenario scenario = new();
        scenario.Guest.Put("/sys/kernel/kexec_crash_loaded", loaded + "\n");
        scenario.Guest.Put("/proc/cmdline", commandLine + "\n");
        scenario.Steps.Preflight.Run(Question).ShouldNotContain(check => check.Name == "panic");
        PreflightCheck check = scenario.Steps.Preflight.Run(Question with { TakeOverOnPanic = true }).Single(check => check.Name == "panic");
        check.Passed.ShouldBe(passes);
        if (!passes)
        {
            check.Message.ShouldContain("--on-panic reset");
        }
    }

    [Fact]
    public void Without_the_module_the_reason_is_told_and_the_other_checks_are_made()
    {
        using Scenario scenario = new();
        scenario.Device.Failures.Enqueue(("QUERY", GuestAgent.KernelDevice.Errno.EPERM));
        IReadOnlyList<PreflightCheck> checks = scenario.Steps.Preflight.Run(Question);
        checks.Single(check => !check.Passed).Name.ShouldBe("module");
        checks.Count.ShouldBe(13);
    }
}
