using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Handover;

/// <summary>Epochs, order, repetition, and agents that are killed.</summary>
public sealed class OrderTests
{
    [Fact]
    public async Task A_repeated_step_answers_from_the_journal()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Load);
        int calls = scenario.Device.Calls.Count;
        StepOutcome again = await scenario.Reserve();
        again.AlreadyDone.ShouldBeTrue();
        again.Entry.Facts["slot"].ShouldBe("1");
        scenario.Device.Calls.Count.ShouldBe(calls);
    }

    [Fact]
    public async Task A_repeated_step_answers_from_the_journal_of_a_killed_agent()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Start);
        scenario.Restart();
        (await scenario.Start()).AlreadyDone.ShouldBeTrue();
        await scenario.AwaitStandby();
        await scenario.Transfer();
    }

    [Fact]
    public async Task An_older_epoch_is_refused_and_a_newer_one_takes_over()
    {
        using Scenario scenario = new();
        await scenario.Preflight(epoch: 5);
        await scenario.Reserve(epoch: 7);
        (await Should.ThrowAsync<StepFailure>(scenario.RollBack(epoch: 6))).Reason.ShouldBe("STALE_EPOCH");
        scenario.Restart();
        (await Should.ThrowAsync<StepFailure>(scenario.Reserve(epoch: 5))).Reason.ShouldBe("STALE_EPOCH");
        await scenario.RollBack(epoch: 7);
    }

    [Theory]
    [InlineData(Wire.Step.Reserve)]
    [InlineData(Wire.Step.Load)]
    [InlineData(Wire.Step.Start)]
    [InlineData(Wire.Step.Standby)]
    [InlineData(Wire.Step.Transfer)]
    [InlineData(Wire.Step.CutOver)]
    [InlineData(Wire.Step.Commit)]
    public async Task No_step_is_taken_before_the_one_in_front_of_it(Wire.Step step)
    {
        using Scenario scenario = new();
        bool ran = false;
        (await Should.ThrowAsync<StepFailure>(scenario.Run(step, _ => ran = true))).Reason.ShouldBe("WRONG_STEP");
        Wire.Step[] before = [.. StepOrder.Forward.TakeWhile(known => known != step).SkipLast(1)];
        foreach (Wire.Step earlier in before)
        {
            await scenario.Run(earlier, _ => { });
        }

        (await Should.ThrowAsync<StepFailure>(scenario.Run(step, _ => ran = true))).Reason.ShouldBe("WRONG_STEP");
        ran.ShouldBeFalse();
    }

    [Fact]
    public async Task Another_upgrade_is_refused_while_one_is_active()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Reserve);
        (await Should.ThrowAsync<StepFailure>(scenario.Preflight("u2"))).Reason.ShouldBe("WRONG_STEP");
        (await Should.ThrowAsync<StepFailure>(scenario.RollBack("u2"))).Reason.ShouldBe("WRONG_STEP");
        scenario.Steps.Preflight.Run(new PreflightQuestion("u2", 0, 0, 0)).Single(check => check.Name == "upgrade").Passed.ShouldBeFalse();
    }

    [Fact]
    public async Task A_roll_back_without_anything_to_undo_succeeds()
    {
        using Scenario scenario = new();
        (await scenario.RollBack()).AlreadyDone.ShouldBeFalse();
        (await scenario.RollBack()).AlreadyDone.ShouldBeTrue();
        scenario.ShouldBeWhole();
    }

    [Theory]
    [InlineData("", 1ul)]
    [InlineData("u1", 0ul)]
    public async Task An_upgrade_needs_a_name_and_an_epoch(string upgradeId, ulong epoch)
    {
        using Scenario scenario = new();
        (await Should.ThrowAsync<StepFailure>(scenario.Preflight(upgradeId, epoch))).Code.ShouldBe(global::Grpc.Core.StatusCode.InvalidArgument);
    }

    /// <summary>The agent dies right before or right behind any of the writes and requests of a step: the roll-back of its successor gives everything back.</summary>
    [Fact]
    public async Task An_agent_killed_anywhere_in_reserve_is_undone_by_the_next()
    {
        int points = 0;
        for (bool finished = false; !finished; points++)
        {
            using Scenario scenario = new();
            await scenario.Preflight();
            int left = points;
            Action<string, string>? module = scenario.Guest.OnWrite;
            void Point()
            {
                if (left-- <= 0)
                {
                    throw new Killed();
                }
            }

            scenario.Guest.OnWrite = (path, value) =>
            {
                Point();
                module?.Invoke(path, value);
            };
            scenario.Guest.AfterWrite = Point;
            scenario.Device.BeforeCall = Point;
            finished = await Record.ExceptionAsync(() => scenario.Reserve()) is null;

            scenario.Guest.OnWrite = module;
            scenario.Guest.AfterWrite = scenario.Device.BeforeCall = null;
            scenario.Restart();
            scenario.Runner.EndInterrupted();
            await scenario.RollBack();
            scenario.ShouldBeWhole();
        }

        // Four writes, in front and behind, and two requests; then the run that nothing ended.
        points.ShouldBe(11);
    }

    [Fact]
    public async Task A_reserve_that_was_interrupted_begins_anew()
    {
        using Scenario scenario = new();
        await scenario.Preflight();
        scenario.Journal.Record(new() { Step = Wire.Step.Reserve, State = Wire.StepState.Running });
        scenario.Journal.Takes(1u);
        scenario.Journal.Takes(new GuestAgent.Journal.TakenBlock(1, Movable: false));
        scenario.Guest.Write("/sys/devices/system/cpu/cpu1/online", "0");
        scenario.Guest.Write("/sys/devices/system/memory/memory1/state", "offline");
        scenario.Restart();
        scenario.Runner.EndInterrupted();
        scenario.Status.Read().Steps.Last().State.ShouldBe(Wire.StepState.Failed);
        await scenario.Reserve();
        scenario.Guest.OfflineBlocks().ShouldBe([1u, 2u, 3u]);
        await scenario.RollBack();
        scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task A_start_that_was_interrupted_behind_the_launch_finds_its_instance()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Start);
        GuestAgent.Journal.StepEntry start = scenario.Journal.Current!.Find(Wire.Step.Start)!;
        scenario.Journal.Record(start with { State = Wire.StepState.Running, Facts = new Dictionary<string, string>() });
        scenario.Restart();
        StepOutcome outcome = await scenario.Start();
        outcome.Entry.Facts["instance"].ShouldBe(start.Facts["instance"]);
        scenario.Device.Calls.Count(call => call == "LAUNCH").ShouldBe(1);
    }

    [Fact]
    public async Task A_roll_back_ends_a_step_that_waits()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Start);
        scenario.Device.StateOfInstance = _ => GuestAgent.KernelDevice.InstanceState.Launched;
        Task<StepOutcome> waiting = scenario.AwaitStandby(milliseconds: 60_000);
        await scenario.RollBack().WaitAsync(TimeSpan.FromSeconds(10));
        (await Should.ThrowAsync<StepFailure>(waiting)).Reason.ShouldBe("CANCELLED");
        scenario.ShouldBeWhole();
    }

    private sealed class Killed : Exception;
}
