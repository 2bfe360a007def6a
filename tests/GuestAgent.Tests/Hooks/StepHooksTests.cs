using System.Diagnostics;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Hooks;

public sealed class StepHooksTests : IDisposable
{
    private readonly Scenario _scenario = new();

    private string Diary => _scenario.Guest.At("/diary");

    [Fact]
    public async Task They_are_called_around_each_step_in_the_order_of_their_names_with_what_is_known()
    {
        Hook("20-second", $"echo second >> {Diary}");
        Hook("10-first", $"echo \"$1 $2 $TWINKERNEL_ROLE $TWINKERNEL_UPGRADE $TWINKERNEL_FROM_RELEASE>$TWINKERNEL_TO_RELEASE $TWINKERNEL_RESULT\" >> {Diary}; echo done");

        await _scenario.UpTo(Wire.Step.Load);

        string[] diary = File.ReadAllLines(Diary);
        diary.Where(line => line != "second").ShouldBe(
        [
            "pre preflight old u1 6.1.0-test> ", "post preflight old u1 6.1.0-test> succeeded",
            "pre reserve old u1 6.1.0-test> ", "post reserve old u1 6.1.0-test> succeeded",
            "pre load old u1 6.1.0-test> ", "post load old u1 6.1.0-test>6.12.0-test succeeded",
        ]);
        diary.Where((_, i) => i % 2 == 1).ShouldAllBe(line => line == "second");
        _scenario.Journal.Current!.Find(Wire.Step.Reserve)!.Facts["hook.pre.10-first"].ShouldBe("done");
        _scenario.Journal.Current.Find(Wire.Step.Reserve)!.Timings.ShouldContain(timing => timing.Name == "reserve.hook.post.20-second");
    }

    [Fact]
    public async Task A_step_that_is_repeated_calls_none_again()
    {
        Hook("10-count", $"echo $2 >> {Diary}");
        await _scenario.UpTo(Wire.Step.Reserve);
        (await _scenario.Reserve()).AlreadyDone.ShouldBeTrue();
        File.ReadAllLines(Diary).ShouldBe(["preflight", "preflight", "reserve", "reserve"]);
    }

    [Theory]
    [InlineData("pre")]
    [InlineData("post")]
    public async Task One_that_fails_fails_the_step_with_its_name_code_and_last_line(string phase)
    {
        Hook("50-no", $"[ $1.$2 != {phase}.reserve ] && exit 0; echo first; echo the backup runs >&2; exit 3");
        await _scenario.UpTo(Wire.Step.Preflight);

        StepFailure failure = await Should.ThrowAsync<StepFailure>(() => _scenario.Reserve());

        failure.Reason.ShouldBe("HOOK_FAILED");
        failure.Message.ShouldBe($"Hook 50-no ({phase} reserve) ended with 3: \"the backup runs\".");
        (_scenario.Guest.OfflineBlocks().Length > 0).ShouldBe(phase == "post");
        await _scenario.RollBack();
        _scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task One_that_does_not_end_is_killed_with_all_that_it_has_started()
    {
        Hook("10-hangs", $"[ $2 = reserve ] || exit 0; echo waiting; sleep 60 & echo $! > {Diary}; wait");
        await _scenario.UpTo(Wire.Step.Preflight);
        long started = Stopwatch.GetTimestamp();

        StepFailure failure = await Should.ThrowAsync<StepFailure>(() => _scenario.Reserve());

        failure.Message.ShouldBe("Hook 10-hangs (pre reserve) did not end within 2 s and was killed; it last said \"waiting\".");
        Stopwatch.GetElapsedTime(started).ShouldBeLessThan(TimeSpan.FromSeconds(30));
        string state = $"/proc/{File.ReadAllText(Diary).Trim()}/stat";
        (!File.Exists(state) || File.ReadAllText(state).Contains(") Z ", StringComparison.Ordinal)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_roll_back_is_told_and_not_held_up()
    {
        Hook("10-stubborn", "[ $2 != rollback ] && exit 0; echo no; exit 1");
        await _scenario.UpTo(Wire.Step.Reserve);
        StepOutcome outcome = await _scenario.RollBack();
        outcome.Entry.Facts["hook.pre.10-stubborn.failed"].ShouldBe("Hook 10-stubborn (pre rollback) ended with 1: \"no\".");
        _scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task Kernel_B_calls_them_behind_the_cut_over_and_one_that_fails_there_leaves_it_failed()
    {
        _scenario.Device.HasParent = _scenario.Device.TwinBooted = _scenario.Device.ParentParked = true;
        Hook("10-judge", $"echo \"$1 $2 $TWINKERNEL_ROLE $TWINKERNEL_FROM_RELEASE>$TWINKERNEL_TO_RELEASE $TWINKERNEL_IMAGE\" > {Diary}; echo I do not like it; exit 1");
        HandoverOrder order = new()
        {
            UpgradeId = "u9",
            Epoch = 3,
            Token = "secret",
            Mac = FakeGuest.Mac,
            Network = "10.0.2.15/24,10.0.2.2",
            Functions = [],
            SlotBytes = 1,
            FromRelease = "5.10.0-a",
            Image = "sha256:1",
        };
        _scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = order }).Kind.ShouldBe(LinkMessage.Done);

        _scenario.Standby.TakeOver(order, TimeSpan.Zero);

        File.ReadAllText(Diary).Trim().ShouldBe("post cutover new 5.10.0-a>6.1.0-test sha256:1");
        Wire.StepRecord record = _scenario.Status.Read().Steps.Single();
        (record.State, record.ErrorReason, record.ErrorMessage).ShouldBe((Wire.StepState.Failed, "HOOK_FAILED", "Hook 10-judge (post cutover) ended with 1: \"I do not like it\"."));
        (await Should.ThrowAsync<StepFailure>(() => _scenario.Run(Wire.Step.Commit, _ => { }, "u9", 3))).Reason.ShouldBe("WRONG_STEP");
    }

    [Fact]
    public async Task One_that_fails_behind_the_commit_is_reported()
    {
        Hook("10-late", "[ $1.$2 != post.commit ] || exit 1");
        _scenario.Journal.Open("u1", 1);
        _scenario.Journal.Record(new() { Step = Wire.Step.CutOver, State = Wire.StepState.Succeeded });
        StepOutcome outcome = await _scenario.Run(Wire.Step.Commit, _ => { });
        outcome.Entry.State.ShouldBe(Wire.StepState.Succeeded);
        outcome.Entry.Facts.Keys.ShouldContain("hook.post.10-late.failed");
    }

    [Fact]
    public void The_preflight_names_those_that_cannot_be_executed()
    {
        _scenario.Guest.Put("/etc/twinkernel/hooks.d/10-plain", "#!/bin/sh\n");
        PreflightCheck check = _scenario.Steps.Preflight.Run(new PreflightQuestion("u1", 0, 0, 0)).Single(check => check.Name == "hooks");
        check.Passed.ShouldBeFalse();
        check.Message.ShouldContain("10-plain is not executable");
    }

    public void Dispose() => _scenario.Dispose();

    private void Hook(string name, string script)
    {
        string path = $"/etc/twinkernel/hooks.d/{name}";
        _scenario.Guest.Put(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(_scenario.Guest.At(path), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
