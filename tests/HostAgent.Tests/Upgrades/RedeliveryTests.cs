using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Tests.Guests;

namespace TwinKernel.Fleet.HostAgent.Tests.Upgrades;

/// <summary>Commands that come twice, late or from the past, and agents that die at the wrong moment.</summary>
public sealed class RedeliveryTests : IAsyncLifetime
{
    private Bench _bench = null!;

    public async ValueTask InitializeAsync() => _bench = await Bench.StartAsync();

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task A_command_that_comes_again_is_answered_from_the_journal()
    {
        StepCompleted first = await _bench.SucceedAsync(UpgradeStep.Reserve);
        StepCompleted second = await _bench.SucceedAsync(UpgradeStep.Reserve);
        second.ShouldBe(first);
        await _bench.EndLifeAsync();
        await _bench.BeginLifeAsync();
        (await _bench.SucceedAsync(UpgradeStep.Reserve)).Timings.ShouldBe(first.Timings);
        _bench.CallsOf("Reserve").ShouldBe(1);
    }

    [Fact]
    public async Task A_command_that_comes_again_while_it_runs_is_accepted_and_done_once()
    {
        TaskCompletionSource go = new();
        _bench.Guest.Before = (call, _) => call == "Reserve" ? go.Task : Task.CompletedTask;
        ExecuteStep command = _bench.Command(UpgradeStep.Reserve);
        await _bench.Runner.AcceptAsync(command, default);
        await _bench.Runner.AcceptAsync(command, default);
        await Eventually.Async(() => _bench.CallsOf("Reserve") == 1);
        go.SetResult();
        await Eventually.Async(() => _bench.Results(command).Length == 1);
        _bench.Events.Published.OfType<StepAccepted>().Count().ShouldBe(2);
        _bench.CallsOf("Reserve").ShouldBe(1);
    }

    [Fact]
    public async Task A_result_that_was_journalled_and_not_published_is_published_by_the_next_agent()
    {
        _bench.Events.Away = true;
        ExecuteStep command = _bench.Command(UpgradeStep.Reserve);
        await _bench.Runner.AcceptAsync(command, default);
        await Eventually.Async(() => Journal().Contains("\"kind\":\"Finished\"", StringComparison.Ordinal));
        await _bench.EndLifeAsync();
        _bench.Results(command).ShouldBeEmpty();

        _bench.Events.Away = false;
        await _bench.BeginLifeAsync();
        await Eventually.Async(() => _bench.Results(command).Length == 1);
        await Eventually.Async(() => Journal().Contains("\"kind\":\"Published\"", StringComparison.Ordinal));
        _bench.CallsOf("Reserve").ShouldBe(1);
    }

    [Fact]
    public async Task A_step_that_was_running_when_the_agent_ended_goes_on_with_the_next()
    {
        _bench.Guest.Before = (call, cancelled) => call == "Reserve" && _bench.CallsOf("Reserve") == 1 ? Task.Delay(Timeout.Infinite, cancelled) : Task.CompletedTask;
        ExecuteStep command = _bench.Command(UpgradeStep.Reserve);
        await _bench.Runner.AcceptAsync(command, default);
        await Eventually.Async(() => _bench.CallsOf("Reserve") == 1);
        await _bench.EndLifeAsync();
        _bench.Results(command).ShouldBeEmpty();
        await _bench.BeginLifeAsync();
        await Eventually.Async(() => _bench.Results(command).Length == 1);
        _bench.Results(command)[0].ShouldBeOfType<StepCompleted>();
    }

    [Fact]
    public async Task A_cut_over_in_whose_middle_the_agent_ended_is_decided_by_who_answers_and_marked_as_interrupted()
    {
        await _bench.SucceedAsync(UpgradeStep.Transfer);
        _bench.Guest.Before = (call, cancelled) => call == "CutOver" ? Task.Delay(Timeout.Infinite, cancelled) : Task.CompletedTask;
        ExecuteStep command = _bench.Command(UpgradeStep.CutOver);
        await _bench.Runner.AcceptAsync(command, default);
        await Eventually.Async(() => _bench.CallsOf("CutOver") == 1);
        await _bench.EndLifeAsync();

        _bench.Guest.SwitchToB();
        _bench.Guest.Before = (call, _) => call == "CutOver" ? throw FakeGuest.Refusal("WRONG_STEP", "not known in this kernel") : Task.CompletedTask;
        await _bench.BeginLifeAsync();
        await Eventually.Async(() => _bench.Results(command).Length == 1);
        StepCompleted completed = _bench.Results(command)[0].ShouldBeOfType<StepCompleted>();
        completed.Guest!.KernelRelease.ShouldBe("6.12.0-b");
        completed.Outage!.Interrupted.ShouldBeTrue();
    }

    [Fact]
    public async Task A_step_whose_deadline_passed_while_no_agent_ran_is_not_begun_again()
    {
        // Long enough for a busy machine to come to the call.
        TimeSpan deadline = TimeSpan.FromSeconds(6);
        _bench.Guest.Before = (call, cancelled) => call == "Start" ? Task.Delay(Timeout.Infinite, cancelled) : Task.CompletedTask;
        ExecuteStep command = _bench.Command(UpgradeStep.Boot) with { Deadline = deadline };
        await _bench.Runner.AcceptAsync(command, default);
        await Eventually.Async(() => _bench.CallsOf("Start") == 1);
        await _bench.EndLifeAsync();
        await Task.Delay(deadline, TestContext.Current.CancellationToken);
        await _bench.BeginLifeAsync();
        await Eventually.Async(() => _bench.Results(command).Length == 1);
        _bench.Results(command)[0].ShouldBeOfType<StepFailed>().Reason.ShouldContain("did not finish within");
        _bench.CallsOf("Start").ShouldBe(1);
    }

    [Fact]
    public async Task An_older_epoch_is_refused_also_by_the_next_agent()
    {
        await _bench.SucceedAsync(UpgradeStep.Preflight);
        Guid newer = Guid.NewGuid(), older = Guid.NewGuid();
        (await _bench.RunAsync(_bench.Command(UpgradeStep.Preflight, epoch: 5, newer))).ShouldBeOfType<StepCompleted>();
        await _bench.EndLifeAsync();
        await _bench.BeginLifeAsync();
        foreach (long epoch in (long[])[4, 5])
        {
            StepFailed failed = (await _bench.RunAsync(_bench.Command(UpgradeStep.Reserve, epoch, older))).ShouldBeOfType<StepFailed>();
            failed.Failure.ShouldBe(UpgradeFailure.StaleEpoch);
            failed.Reason.ShouldContain("epoch 5");
        }

        _bench.CallsOf("Reserve").ShouldBe(0);
    }

    [Fact]
    public async Task A_command_that_expired_on_its_way_is_not_begun()
    {
        StepFailed failed = (StepFailed)await _bench.RunAsync(_bench.Command(UpgradeStep.Reserve) with { ExpiresAt = TimeProvider.System.GetUtcNow().AddSeconds(-1) });
        failed.Failure.ShouldBe(UpgradeFailure.HostAgentSilent);
        _bench.CallsOf("Reserve").ShouldBe(0);
    }

    [Fact]
    public async Task A_command_for_another_host_or_guest_or_without_a_sane_deadline_is_refused()
    {
        ((StepFailed)await _bench.RunAsync(_bench.Command(UpgradeStep.Reserve) with { Host = "h2" })).Reason.ShouldContain("host 'h2'");
        ((StepFailed)await _bench.RunAsync(_bench.Command(UpgradeStep.Load) with { Guest = "g2" })).Failure.ShouldBe(UpgradeFailure.MachineGone);
        ((StepFailed)await _bench.RunAsync(_bench.Command(UpgradeStep.Boot) with { Deadline = TimeSpan.Zero })).Reason.ShouldContain("deadline is 00:00:00");
    }

    [Fact]
    public async Task A_newer_upgrade_of_the_guest_ends_the_older_ones_step()
    {
        _bench.Guest.Before = (call, cancelled) => call == "Reserve" ? Task.Delay(Timeout.Infinite, cancelled) : Task.CompletedTask;
        await _bench.Runner.AcceptAsync(_bench.Command(UpgradeStep.Reserve), default);
        await Eventually.Async(() => _bench.CallsOf("Reserve") == 1);
        (await _bench.RunAsync(_bench.Command(UpgradeStep.Preflight, epoch: 2, Guid.NewGuid()))).ShouldBeOfType<StepCompleted>();
        _bench.Results(_bench.Command(UpgradeStep.Reserve)).ShouldHaveSingleItem().ShouldBeOfType<StepFailed>();
    }

    [Theory]
    [InlineData(UpgradeStep.RollBack, "RollBack")]
    [InlineData(UpgradeStep.Commit, "Commit")]
    public async Task A_failed_way_out_is_tried_again_by_a_later_command_and_answered_from_the_journal_by_the_same(UpgradeStep step, string call)
    {
        bool refuses = true;
        _bench.Guest.Before = (called, _) =>
        {
            if (called == call && refuses)
            {
                throw FakeGuest.Refusal("DEVICE", "not this time");
            }

            if (called == "Commit")
            {
                _bench.Guest.Commit();
            }

            return Task.CompletedTask;
        };
        // A roll back asks again until its deadline: long enough for a busy machine to come to its first answer.
        ExecuteStep command = _bench.Command(step) with { Deadline = TimeSpan.FromSeconds(4) };
        StepFailed failed = (await _bench.RunAsync(command)).ShouldBeOfType<StepFailed>();
        failed.Reason.ShouldContain("not this time");
        await Eventually.Async(() => Journal().Contains("\"kind\":\"Published\"", StringComparison.Ordinal));
        refuses = false;
        int calls = _bench.CallsOf(call);

        (await _bench.RunAsync(command)).ShouldBeOfType<StepFailed>().Reason.ShouldBe(failed.Reason);
        _bench.CallsOf(call).ShouldBe(calls);
        (await _bench.RunAsync(command with { ExpiresAt = command.ExpiresAt.AddSeconds(1) })).ShouldBeOfType<StepCompleted>();
        _bench.CallsOf(call).ShouldBe(calls + 1);
    }

    private string Journal() => string.Concat(Directory.GetFiles(_bench.JournalDirectory).Select(File.ReadAllText));
}
