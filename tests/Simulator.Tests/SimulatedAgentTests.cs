using System.Collections.Concurrent;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Simulator.Delivery;
using TwinKernel.Fleet.Simulator.Hosts;
using TwinKernel.Fleet.Simulator.Journal;
using TwinKernel.Fleet.Simulator.Reporting;
using TwinKernel.Fleet.Simulator.Scenarios;

namespace TwinKernel.Fleet.Simulator.Tests;

/// <summary>An agent keeps to the contract.</summary>
public sealed class SimulatedAgentTests
{
    private static readonly Guid First = Guid.NewGuid();
    private static readonly Guid Second = Guid.NewGuid();
    private readonly Heard _heard = new();
    private readonly Tally _tally = new();

    [Fact]
    public async Task A_redelivered_command_is_answered_from_the_journal_and_done_once()
    {
        (SimulatedHost host, Func<SimulatedAgent> start) = Host(""" "steps": { "others": { "latency": { "median": "20ms" } } } """);
        await using SimulatedAgent agent = start();
        foreach (UpgradeStep step in new[] { UpgradeStep.CutOver, UpgradeStep.Commit, UpgradeStep.Commit })
        {
            await agent.TakeAsync(Command(First, 1, step), default);
            await _heard.UntilAsync<StepCompleted>(step);
        }

        await agent.TakeAsync(Command(First, 1, UpgradeStep.Commit), default);
        _heard.Of<StepCompleted>(UpgradeStep.Commit).Distinct().Count().ShouldBe(1, "the recorded one");
        _heard.Of<StepAccepted>(UpgradeStep.Commit).Count().ShouldBe(1);
        host.Guests["g1"].Commits.ShouldBe(1);
        _tally.Of(Counted.Duplicate).ShouldBe(2);
        host.Guests["g1"].Observe(default).KernelRelease.ShouldBe("6.12.1");
        Inspection.Parser.ParseFrom(agent.Answer(new InspectGuest { Host = host.Name, Guest = "g1" }).Inspection).Status.KernelRelease.ShouldBe("6.12.1");
        agent.Answer(new InspectGuest { Host = host.Name, Guest = "g9" }).Problem.ShouldNotBeNull();
    }

    [Fact]
    public async Task Older_epochs_and_epochs_of_another_upgrade_are_refused()
    {
        (SimulatedHost host, Func<SimulatedAgent> start) = Host(""" "steps": { "others": { "latency": { "median": "0s" } } } """);
        await using SimulatedAgent agent = start();
        await agent.TakeAsync(Command(First, 5, UpgradeStep.Preflight), default);
        await agent.TakeAsync(Command(Second, 4, UpgradeStep.Preflight), default);
        await agent.TakeAsync(Command(Second, 5, UpgradeStep.Reserve), default);
        await agent.TakeAsync(Command(Second, 6, UpgradeStep.Load) with { ExpiresAt = TimeProvider.System.GetUtcNow().AddSeconds(-1) }, default);
        _heard.Of<StepFailed>(UpgradeStep.Preflight).ShouldHaveSingleItem().Failure.ShouldBe(UpgradeFailure.StaleEpoch);
        _heard.Of<StepFailed>(UpgradeStep.Reserve).ShouldHaveSingleItem().Failure.ShouldBe(UpgradeFailure.StaleEpoch);
        _heard.Of<StepFailed>(UpgradeStep.Load).ShouldHaveSingleItem().Failure.ShouldBe(UpgradeFailure.HostAgentSilent);
        _tally.Of(Counted.Refusal).ShouldBe(3);
        host.Disk.Steps.Count.ShouldBe(1);
    }

    [Fact]
    public async Task What_a_run_left_unfinished_the_next_one_finishes()
    {
        (SimulatedHost host, Func<SimulatedAgent> start) = Host(""" "steps": { "others": { "latency": { "median": "1s" } } } """);
        await using (SimulatedAgent before = start())
        {
            await before.TakeAsync(Command(First, 1, UpgradeStep.Load), default);
        }

        host.Disk.Steps.ShouldHaveSingleItem().IsFinished.ShouldBeFalse();
        await using SimulatedAgent after = start();
        after.Resume();
        await _heard.UntilAsync<StepCompleted>(UpgradeStep.Load);
        _tally.Of(Counted.Resumed).ShouldBe(1);
        TimeSpan.FromTicks(_heard.Of<StepCompleted>(UpgradeStep.Load).Single().Timings[0].Nanoseconds / 100).ShouldBeGreaterThan(TimeSpan.FromMilliseconds(990));
    }

    [Fact]
    public async Task A_roll_back_ends_a_step_that_never_answers()
    {
        (SimulatedHost host, Func<SimulatedAgent> start) = Host(
            """ "steps": { "others": { "latency": { "median": "0s" } }, "Standby": { "failures": { "HostAgentSilent": 1 } } } """);
        await using SimulatedAgent agent = start();
        await agent.TakeAsync(Command(First, 1, UpgradeStep.Standby), default);
        _heard.Of<StepFailed>(UpgradeStep.Standby).ShouldBeEmpty();
        await agent.TakeAsync(Command(First, 1, UpgradeStep.RollBack), default);
        await _heard.UntilAsync<StepCompleted>(UpgradeStep.RollBack);
        _heard.Of<StepFailed>(UpgradeStep.Standby).ShouldHaveSingleItem();
        await agent.TakeAsync(Command(First, 1, UpgradeStep.Transfer), default);
        _heard.Of<StepFailed>(UpgradeStep.Transfer).ShouldHaveSingleItem("nothing follows a roll-back");
        host.Guests["g1"].Observe(default).KernelRelease.ShouldBe("6.1.0");
    }

    private (SimulatedHost Host, Func<SimulatedAgent> Start) Host(string scenario)
    {
        Scenario read = SampleScenario.OneHost(scenario);
        Decisions decisions = new(read);
        SimulatedHost host = SimulatedHost.AllOf(read, decisions, FleetJournal.None).Single();
        return (host, () => new SimulatedAgent(host, read, decisions, _heard, _tally, TimeProvider.System));
    }

    private static ExecuteStep Command(Guid upgrade, long epoch, UpgradeStep step) => new()
    {
        UpgradeId = upgrade,
        Host = "h-1",
        Guest = "g1",
        Epoch = epoch,
        Step = step,
        ImageDigest = SampleScenario.ImageB,
        Deadline = TimeSpan.FromMinutes(1),
        ExpiresAt = TimeProvider.System.GetUtcNow().AddMinutes(1),
    };

    private sealed class Heard : IFleetEvents
    {
        private readonly ConcurrentQueue<object> _all = [];

        public Task PublishAsync<T>(T message, bool mustBeRouted, CancellationToken cancellationToken)
            where T : class
        {
            _all.Enqueue(message);
            return Task.CompletedTask;
        }

        public IEnumerable<T> Of<T>(UpgradeStep step) => _all.OfType<T>().Where(one => one switch
        {
            StepAccepted accepted => accepted.Step == step,
            StepCompleted completed => completed.Step == step,
            StepFailed failed => failed.Step == step,
            _ => false,
        });

        public Task UntilAsync<T>(UpgradeStep step) => Eventually.Be(() => Of<T>(step).Any(), $"{typeof(T).Name} of {step}");
    }
}
