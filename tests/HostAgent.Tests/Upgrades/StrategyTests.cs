using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Tests.Guests;
using TwinKernel.Fleet.HostAgent.Tests.Images;

namespace TwinKernel.Fleet.HostAgent.Tests.Upgrades;

/// <summary>Kexec and reboot: what is chosen, what is done, and that a failure leads back to the image that ran last.</summary>
public sealed class StrategyTests : IAsyncLifetime
{
    private const string BootIdOfB = "bbbbbbbb-0000-4000-8000-000000000000";
    private Bench _bench = null!;
    private string _release = null!;

    public async ValueTask InitializeAsync()
    {
        _bench = await Bench.StartAsync();
        _release = TestImages.Store(_bench.ImageDirectory).Find("b").Manifest.KernelRelease;
    }

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Theory]
    [InlineData(UpgradeStrategy.Auto, true, true, false, UpgradeStrategy.Twin, null)]
    [InlineData(UpgradeStrategy.Auto, false, true, false, UpgradeStrategy.Kexec, "no twin: cpus: one CPU only; memory: too little")]
    [InlineData(UpgradeStrategy.Auto, false, true, true, UpgradeStrategy.Kexec, "no twin: cpus: one CPU only; memory: too little")]
    [InlineData(UpgradeStrategy.Auto, false, false, false, UpgradeStrategy.Reboot, "no twin: cpus: one CPU only; memory: too little; no kexec: kexec: disabled")]
    [InlineData(UpgradeStrategy.Twin, true, false, false, UpgradeStrategy.Twin, null)]
    [InlineData(UpgradeStrategy.Kexec, false, true, false, UpgradeStrategy.Kexec, null)]
    [InlineData(UpgradeStrategy.Reboot, false, false, false, UpgradeStrategy.Reboot, null)]
    public async Task Preflight_chooses_the_first_that_is_possible_of_those_allowed(
        UpgradeStrategy asked, bool twin, bool kexec, bool signature, UpgradeStrategy chosen, string? because)
    {
        (_bench.Guest.PreflightPasses, _bench.Guest.KexecPasses) = (twin, kexec);
        StepCompleted done = (StepCompleted)await _bench.RunAsync(Command(UpgradeStep.Preflight, asked) with { RequireSignature = signature });
        (done.Strategy, done.StrategyReason).ShouldBe((chosen, because));
    }

    [Theory]
    [InlineData(UpgradeStrategy.Twin, false, true, false, "Possible instead, with an outage of one boot: --strategy kexec")]
    [InlineData(UpgradeStrategy.Twin, false, false, false, "Possible instead, with an outage of one boot: --strategy reboot")]
    [InlineData(UpgradeStrategy.Kexec, true, false, false, "kexec: disabled. Possible instead: --strategy reboot")]
    [InlineData(UpgradeStrategy.Auto, false, false, true, "A reboot would not check the signature")]
    public async Task Preflight_that_blocks_names_what_is_possible_instead(UpgradeStrategy asked, bool twin, bool kexec, bool signature, string advice)
    {
        (_bench.Guest.PreflightPasses, _bench.Guest.KexecPasses) = (twin, kexec);
        StepFailed failed = (StepFailed)await _bench.RunAsync(Command(UpgradeStep.Preflight, asked) with { RequireSignature = signature });
        failed.Failure.ShouldBe(UpgradeFailure.PreflightBlocked);
        failed.Reason.ShouldEndWith(advice);
    }

    [Fact]
    public async Task A_guest_that_does_not_answer_is_not_rebooted_for_it()
    {
        await _bench.Guest.EndAsync();
        (await _bench.RunAsync(Command(UpgradeStep.Preflight, UpgradeStrategy.Auto))).ShouldBeOfType<StepFailed>()
            .Failure.ShouldBe(UpgradeFailure.MachineGone);
    }

    [Fact]
    public async Task By_kexec_kernel_A_jumps_and_the_machine_runs_on()
    {
        _bench.Guest.Before = (call, _) => OnCutOver(call, () => _bench.Guest.BootAnew(BootIdOfB, _release));
        await SucceedAsync(UpgradeStrategy.Kexec, UpgradeStep.Preflight);
        (await SucceedAsync(UpgradeStrategy.Kexec, UpgradeStep.Load)).Signature.ShouldBe("unsigned");
        StepCompleted cutOver = await SucceedAsync(UpgradeStrategy.Kexec, UpgradeStep.CutOver);
        (cutOver.Guest!.BootId, cutOver.Guest.KernelRelease).ShouldBe((BootIdOfB, _release));
        cutOver.Outage.ShouldNotBeNull().Answered.ShouldBeGreaterThan(0);
        _bench.Machine.OnTrial.ShouldBeTrue("the next start is on A's image until the commit");
        await SucceedAsync(UpgradeStrategy.Kexec, UpgradeStep.Probation);
        await SucceedAsync(UpgradeStrategy.Kexec, UpgradeStep.Commit);
        _bench.Machine.Records.ShouldBe(["serving " + _bench.ImageDigest, "committed " + _bench.ImageDigest]);
        _bench.CallsOf("Commit").ShouldBe(0, "there is nothing for the new kernel to take");
    }

    [Fact]
    public async Task By_reboot_the_machine_is_started_once_on_the_new_image_and_the_outage_spans_it()
    {
        await using FakeGuest b = await NewKernelAsync();
        _bench.Machine.Next.Enqueue(b);
        await SucceedAsync(UpgradeStrategy.Reboot, UpgradeStep.Preflight);
        StepCompleted cutOver = await SucceedAsync(UpgradeStrategy.Reboot, UpgradeStep.CutOver);
        cutOver.Guest!.BootId.ShouldBe(BootIdOfB);
        await SucceedAsync(UpgradeStrategy.Reboot, UpgradeStep.Probation);
        ObservedOutage outage = (await SucceedAsync(UpgradeStrategy.Reboot, UpgradeStep.Commit)).Outage.ShouldNotBeNull();
        (outage.Interrupted, outage.LongestGap > TimeSpan.Zero, outage.Answered < outage.Sent).ShouldBe((false, true, true));
        _bench.Machine.Records.ShouldBe(["tried " + _bench.ImageDigest, "restarted", "committed " + _bench.ImageDigest]);
    }

    [Fact]
    public async Task An_agent_that_died_in_a_reboot_goes_on_in_the_run_that_it_made()
    {
        await using FakeGuest b = await NewKernelAsync();
        b.Before = (_, cancelled) => Task.Delay(Timeout.Infinite, cancelled);
        _bench.Machine.Next.Enqueue(b);
        await SucceedAsync(UpgradeStrategy.Reboot, UpgradeStep.Preflight);
        await _bench.Runner.AcceptAsync(Command(UpgradeStep.CutOver, UpgradeStrategy.Reboot), default);
        await Eventually.Async(() => _bench.Machine.OnTrial);
        await _bench.EndLifeAsync();
        b.Before = (_, _) => Task.CompletedTask;
        await _bench.BeginLifeAsync();
        ExecuteStep command = Command(UpgradeStep.CutOver, UpgradeStrategy.Reboot);
        await Eventually.Async(() => _bench.Results(command).Length > 0);
        _bench.Results(command)[0].ShouldBeOfType<StepCompleted>().Guest!.BootId.ShouldBe(BootIdOfB);
        _bench.Machine.Records.Count(r => r == "restarted").ShouldBe(1);
    }

    [Theory]
    [InlineData(UpgradeStrategy.Kexec)]
    [InlineData(UpgradeStrategy.Reboot)]
    public async Task A_kernel_that_is_only_tried_makes_way_for_the_image_that_ran_last(UpgradeStrategy strategy)
    {
        await using FakeGuest b = await NewKernelAsync(), a = await FakeGuest.StartAsync();
        a.BootAnew("cccccccc-0000-4000-8000-000000000000", "6.1.0-a");
        _bench.Guest.Before = (call, _) => OnCutOver(call, () => _bench.Guest.BootAnew(BootIdOfB, _release));
        if (strategy == UpgradeStrategy.Reboot)
        {
            _bench.Machine.Next.Enqueue(b);
        }

        _bench.Machine.Next.Enqueue(a);
        await SucceedAsync(strategy, UpgradeStep.Preflight);
        await SucceedAsync(strategy, UpgradeStep.CutOver);
        StepCompleted back = await SucceedAsync(strategy, UpgradeStep.RollBack);
        (back.Guest!.KernelRelease, back.Guest.BootId).ShouldBe(("6.1.0-a", a.Status.BootId));
        _bench.Machine.Records.TakeLast(2).ShouldBe(["restarted", "rolled back"]);
    }

    [Fact]
    public async Task A_kernel_A_that_did_not_jump_serves_on_and_is_not_restarted()
    {
        _bench.Guest.Before = (call, _) => call == "CutOver" ? throw FakeGuest.Refusal("KEXEC_REFUSED", "no image is loaded") : Task.CompletedTask;
        await SucceedAsync(UpgradeStrategy.Kexec, UpgradeStep.Preflight);
        StepFailed failed = (StepFailed)await _bench.RunAsync(Command(UpgradeStep.CutOver, UpgradeStrategy.Kexec));
        (failed.Failure, failed.Guest is null).ShouldBe((UpgradeFailure.KexecRefused, false), failed.Reason);
        (await SucceedAsync(UpgradeStrategy.Kexec, UpgradeStep.RollBack)).Guest!.BootId.ShouldStartWith("aaaaaaaa");
        _bench.Machine.Records.ShouldBe(["serving " + _bench.ImageDigest, "rolled back"]);
    }

    [Fact]
    public async Task A_new_kernel_that_does_not_answer_or_is_another_one_fails_the_step()
    {
        _bench.Guest.Before = (call, cancelled) => call switch
        {
            "CutOver" => OnCutOver(call, () => _bench.Guest.BootAnew(BootIdOfB, "5.10.0-other")),
            _ => Task.CompletedTask,
        };
        await SucceedAsync(UpgradeStrategy.Kexec, UpgradeStep.Preflight);
        StepFailed other = (StepFailed)await _bench.RunAsync(Command(UpgradeStep.CutOver, UpgradeStrategy.Kexec));
        (other.Failure, other.Reason).ShouldBe((UpgradeFailure.NewKernelSilent, $"Kernel 5.10.0-other answers, not {_release} as the image promises."));

        await using FakeGuest silent = await FakeGuest.StartAsync();
        silent.Before = (_, cancelled) => Task.Delay(Timeout.Infinite, cancelled);
        _bench.Machine.Next.Enqueue(silent);
        Guid second = Guid.NewGuid();
        await _bench.RunAsync(Command(UpgradeStep.Preflight, UpgradeStrategy.Reboot) with { UpgradeId = second, Epoch = 2 });
        StepFailed failed = (StepFailed)await _bench.RunAsync(
            Command(UpgradeStep.CutOver, UpgradeStrategy.Reboot) with { UpgradeId = second, Epoch = 2, Deadline = TimeSpan.FromSeconds(2) });
        (failed.Failure, failed.Guest).ShouldBe((UpgradeFailure.NewKernelSilent, null), failed.Reason);
    }

    private static Task OnCutOver(string call, Action action)
    {
        if (call == "CutOver")
        {
            action();
        }

        return Task.CompletedTask;
    }

    private async Task<FakeGuest> NewKernelAsync()
    {
        FakeGuest b = await FakeGuest.StartAsync();
        b.BootAnew(BootIdOfB, _release);
        return b;
    }

    private ExecuteStep Command(UpgradeStep step, UpgradeStrategy strategy) => _bench.Command(step) with { Strategy = strategy };

    private async Task<StepCompleted> SucceedAsync(UpgradeStrategy strategy, UpgradeStep step)
    {
        object result = await _bench.RunAsync(Command(step, strategy));
        return result as StepCompleted ?? throw new InvalidOperationException($"{step} failed: {((StepFailed)result).Failure}: {((StepFailed)result).Reason}");
    }
}
