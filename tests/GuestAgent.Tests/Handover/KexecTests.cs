using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Handover;

/// <summary>What a guest can do that cannot twin, and what its kernel says of a signature.</summary>
public sealed class KexecTests
{
    private static readonly PreflightQuestion Question = new("u1", 0, 14 * FakeGuest.MiB, 20 * FakeGuest.MiB);
    private static readonly Wire.Strategy[] Both = [Wire.Strategy.Twin, Wire.Strategy.Kexec];

    [Fact]
    public void A_guest_with_one_CPU_cannot_twin_and_is_left_kexec()
    {
        using Scenario scenario = new(cpus: 1);
        IReadOnlyList<PreflightCheck> checks = scenario.Steps.Preflight.Run(Question);
        PreflightCheck failed = checks.Single(check => !check.Passed);
        failed.Name.ShouldBe("cpus");
        failed.NeededFor.ShouldBe([Wire.Strategy.Twin]);
        failed.Message.ShouldContain("one CPU");
        failed.Message.ShouldContain("by kexec or by a reboot");
        Preflight.Choose(checks, Both).ShouldBe(Wire.Strategy.Kexec);
        Preflight.Choose(checks, [Wire.Strategy.Twin]).ShouldBe(Wire.Strategy.Unspecified);
        Preflight.Choose(checks, []).ShouldBe(Wire.Strategy.Unspecified, "who names none means a twin");
    }

    [Fact]
    public void Who_can_twin_twins_unless_kexec_was_preferred()
    {
        using Scenario scenario = new();
        IReadOnlyList<PreflightCheck> checks = scenario.Steps.Preflight.Run(Question);
        Preflight.Choose(checks, Both).ShouldBe(Wire.Strategy.Twin);
        Preflight.Choose(checks, [Wire.Strategy.Kexec]).ShouldBe(Wire.Strategy.Kexec);
    }

    [Theory]
    [InlineData("/sys/kernel/kexec_loaded", "1", "kexec -u")]
    [InlineData("/sys/kernel/kexec_loaded", null, "has no kexec")]
    [InlineData("/proc/sys/kernel/kexec_load_disabled", "1", "kexec_load_disabled")]
    [InlineData("/proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable: 100000 kB", "MiB needed")]
    public void What_stands_against_kexec_is_told_and_stands_against_nothing_else(string path, string? content, string told)
    {
        using Scenario scenario = new();
        if (content is null)
        {
            File.Delete(scenario.Guest.At(path));
        }
        else
        {
            scenario.Guest.Put(path, content);
        }

        PreflightCheck failed = scenario.Steps.Preflight.Run(Question).Single(check => !check.Passed && check.Name.StartsWith("kexec", StringComparison.Ordinal));
        failed.Message.ShouldContain(told);
        failed.NeededFor.ShouldBe([Wire.Strategy.Kexec]);
    }

    [Fact]
    public void A_kernel_that_a_twin_boot_made_is_not_left_by_kexec()
    {
        using Scenario scenario = new();
        scenario.Device.TwinBooted = true;
        Preflight.Choose(scenario.Steps.Preflight.Run(Question), [Wire.Strategy.Kexec]).ShouldBe(Wire.Strategy.Unspecified);
    }

    [Fact]
    public async Task By_kexec_the_image_is_loaded_and_the_jump_comes_behind_the_answer()
    {
        using Scenario scenario = new(cpus: 1);
        await PreflightByKexec(scenario);
        StepOutcome loaded = await LoadByKexec(scenario);
        scenario.Kexec.Kernel.ShouldBe(scenario.Image.Kernel);
        scenario.Kexec.Initrd.ShouldBe(scenario.Image.Initrd);
        scenario.Kexec.CommandLine.ShouldBe("console=ttyS0,115200 quiet");
        loaded.Entry.Facts["kernel_release"].ShouldBe("6.12.0-test");
        Directory.Exists(scenario.Guest.At("/run/twinkernel/kexec")).ShouldBeFalse("the files have served");
        scenario.Device.Calls.ShouldNotContain(call => call.StartsWith("CLAIM_SLOT", StringComparison.Ordinal));

        string? before = null;
        scenario.Kexec.Jumping = () => before = scenario.Stack.Configured[^1];
        StepOutcome cutOver = await scenario.Runner.RunAsync(Wire.Step.CutOver, "u1", 1, scenario.Steps.KexecCutOver.Prepare, CancellationToken.None,
            after: step => Task.Run(() => scenario.Steps.KexecCutOver.Jump(step)));
        cutOver.Entry.State.ShouldBe(Wire.StepState.Running);
        await scenario.RollBack();
        scenario.Kexec.Jumps.ShouldBe(1);
        (before, scenario.Stack.Configured[^1]).ShouldBe(("eth0 down", "eth0 10.0.2.15/24,10.0.2.2"), "the card rests at the jump, and not when there was none");
        (scenario.Journal.Current!.Find(Wire.Step.CutOver)!.State, scenario.Journal.Current.Find(Wire.Step.CutOver)!.Reason)
            .ShouldBe((Wire.StepState.Failed, "KEXEC_REFUSED"), "the model's jump is refused, and this kernel goes on");
        scenario.Guest.Read("/sys/kernel/kexec_loaded").ShouldBe("0");
        scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task Steps_of_a_twin_are_refused_by_kexec_and_the_order_is_kept()
    {
        using Scenario scenario = new(cpus: 1);
        await PreflightByKexec(scenario);
        (await Should.ThrowAsync<StepFailure>(scenario.Reserve())).Message.ShouldContain("by kexec, which has no such step");
        (await Should.ThrowAsync<StepFailure>(scenario.Run(Wire.Step.CutOver, scenario.Steps.KexecCutOver.Prepare))).Reason.ShouldBe("WRONG_STEP");
        scenario.Restart();
        await LoadByKexec(scenario);
        scenario.Kexec.Unload();
        (await Should.ThrowAsync<StepFailure>(scenario.Run(Wire.Step.CutOver, scenario.Steps.KexecCutOver.Prepare))).Reason.ShouldBe("KEXEC_REFUSED");
    }

    [Fact]
    public async Task An_image_that_the_kernel_refuses_fails_the_load_with_its_errno()
    {
        using Scenario scenario = new(cpus: 1);
        await PreflightByKexec(scenario);
        scenario.Kexec.Refusal = Errno.EPERM;
        StepFailure failure = await Should.ThrowAsync<StepFailure>(LoadByKexec(scenario));
        (failure.Reason, failure.Message).ShouldBe(("KEXEC_REFUSED", "kexec_file_load was refused by the kernel: EPERM"));
        await scenario.RollBack();
    }

    [Theory]
    [InlineData(Errno.None, "valid")]
    [InlineData(Errno.ENODATA, "unsigned")]
    [InlineData(Errno.ENOKEY, "untrusted")]
    [InlineData(Errno.ENOPKG, "untrusted")]
    [InlineData(Errno.EKEYREJECTED, "invalid")]
    [InlineData(Errno.ELIBBAD, "invalid")]
    [InlineData(Errno.ENOMEM, "unavailable: the kernel said 'kexec_file: kernel signature verification failed (-12).'")]
    public async Task A_twin_load_that_requires_a_signature_asks_kernel_A_for_its_verdict_and_leaves_nothing_loaded(Errno errno, string verdict)
    {
        using Scenario scenario = new();
        scenario.Kexec.Tells();
        scenario.Kexec.Verdict = errno;
        await scenario.UpTo(Wire.Step.Reserve);
        (await VerdictAsync(scenario)).ShouldBe(verdict);
        scenario.Guest.Read("/sys/kernel/kexec_loaded").ShouldBe("0");
        scenario.Guest.Read("/proc/dynamic_debug/control").ShouldEndWith("-p", Case.Sensitive, "the message is switched off again");
    }

    [Fact]
    public async Task A_twin_load_that_requires_none_does_not_occupy_the_kernel_with_it()
    {
        using Scenario scenario = new();
        scenario.Kexec.Tells();
        await scenario.UpTo(Wire.Step.Reserve);
        (await scenario.Load()).Entry.Facts.ContainsKey("signature").ShouldBeFalse();
        scenario.Kexec.Loads.ShouldBe(0);
    }

    [Fact]
    public async Task A_kernel_that_does_not_tell_or_has_something_loaded_leaves_the_verdict_open()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Reserve);
        (await VerdictAsync(scenario)).ShouldBe("unavailable: this kernel does not tell");

        using Scenario occupied = new();
        occupied.Kexec.Tells();
        await occupied.UpTo(Wire.Step.Reserve);
        occupied.Guest.Put("/sys/kernel/kexec_loaded", "1\n");
        (await VerdictAsync(occupied)).ShouldBe("unavailable: another image is loaded for kexec");
        occupied.Kexec.Loads.ShouldBe(0);
        occupied.Guest.Read("/sys/kernel/kexec_loaded").ShouldBe("1");
    }

    [Theory]
    [InlineData(Errno.EKEYREJECTED, true, "[none] integrity confidentiality", true)]
    [InlineData(Errno.ENODATA, false, "none [integrity] confidentiality", true)]
    [InlineData(Errno.None, true, "none [integrity] confidentiality", false)]
    [InlineData(Errno.ENOKEY, false, "[none] integrity confidentiality", false)]
    public async Task A_signature_is_required_when_asked_for_and_under_lockdown(Errno verdict, bool asked, string lockdown, bool rejected)
    {
        using Scenario twin = new(), kexec = new(cpus: 1);
        foreach (Scenario scenario in new[] { twin, kexec })
        {
            scenario.Kexec.Tells();
            scenario.Kexec.Verdict = verdict;
        }

        await twin.UpTo(Wire.Step.Reserve);
        await PreflightByKexec(kexec);
        foreach ((Scenario scenario, Func<Wire.LoadHeader, Task<StepOutcome>> load) in new (Scenario, Func<Wire.LoadHeader, Task<StepOutcome>>)[]
        {
            (twin, twin.Load), (kexec, header => LoadByKexec(kexec, header)),
        })
        {
            scenario.Guest.Put("/sys/kernel/security/lockdown", lockdown);
            Wire.LoadHeader header = scenario.Image.Header();
            header.RequireSignature = asked;
            if (rejected)
            {
                (await Should.ThrowAsync<StepFailure>(load(header))).Reason.ShouldBe("SIGNATURE_REJECTED");
                scenario.Guest.Read("/sys/kernel/kexec_loaded").ShouldBe("0");
                await scenario.RollBack();
                scenario.ShouldBeWhole();
            }
            else
            {
                await load(header);
            }
        }
    }

    /// <summary>The fact of a load that succeeds; of one that is rejected, what the reason says.</summary>
    private static async Task<string> VerdictAsync(Scenario scenario)
    {
        Wire.LoadHeader header = scenario.Image.Header();
        header.RequireSignature = true;
        try
        {
            return (await scenario.Load(header)).Entry.Facts["signature"];
        }
        catch (StepFailure failure) when (failure.Reason == "SIGNATURE_REJECTED")
        {
            return failure.Message["The image's signature is ".Length..failure.Message.IndexOf(", as this kernel says", StringComparison.Ordinal)];
        }
    }

    private static Task<StepOutcome> PreflightByKexec(Scenario scenario) => scenario.Run(Wire.Step.Preflight, step =>
        step.Facts["strategy"] = $"{Preflight.Choose(scenario.Steps.Preflight.Run(Question), Both.Skip(1).ToArray())}");

    private static Task<StepOutcome> LoadByKexec(Scenario scenario, Wire.LoadHeader? header = null) => scenario.Run(
        Wire.Step.Load, step => scenario.Steps.KexecLoad.Run(step, header ?? scenario.Image.Header(), scenario.Image.Chunks()));
}
