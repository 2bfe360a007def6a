using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Coordinator.Timings;
using TwinKernel.Fleet.Coordinator.Upgrades;
using TwinKernel.Fleet.Tests.Servers;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Delivery;

/// <summary>With servers of their own, because they kill them.</summary>
public sealed class OutageTests
{
    private static readonly UpgradeStep[] Forward = [.. Enum.GetValues<UpgradeStep>().Where(step => step < UpgradeStep.RollBack)];

    /// <summary>One upgrade of one host, stopped in the middle: Load is asked for and the result is not yet sent.</summary>
    private static async Task RunAsync(
        Func<PrivateServers, CoordinatorUnderTest, TestHostAgent, StepCompleted, Task> trouble, string[] settings)
    {
        await using PrivateServers servers = await PrivateServers.StartAsync();
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync(settings);
        CoordinatorUnderTest second = await fleet.StartCoordinatorAsync(settings);
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        TaskCompletionSource<StepCompleted> held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        host.OnCommand = command =>
        {
            if (command.Step == UpgradeStep.Load)
            {
                held.TrySetResult(host.Completed(command));
                return Task.CompletedTask;
            }

            return host.AnswerAsync(command);
        };
        string id = (await coordinator.StartUpgradeAsync("h1")).Upgrades.Single().Id;
        Task<List<Wire.Upgrade>> watched = second.WatchAsync(id, TimeSpan.FromSeconds(150));
        await trouble(servers, second, host, await held.Task.WaitAsync(TimeSpan.FromSeconds(60)));

        Guid upgrade = Guid.Parse(id);
        UpgradeRecord end = await Eventually.Get(
            () => fleet.Read(db => db.Upgrades.SingleAsync(row => row.Id == upgrade)),
            row => row.FinishedAt is not null, "the upgrade ends", TimeSpan.FromSeconds(120));
        end.State.ShouldBe(UpgradeState.Completed, end.Reason);
        host.StepsAsked(upgrade).ShouldBe(Forward);
        List<UpgradeStepRecord> steps = await fleet.Read(db => db.UpgradeSteps.ToListAsync());
        steps.Count.ShouldBe(Forward.Length);
        steps.ShouldAllBe(step => step.State == StepOutcome.Succeeded && step.Attempt == 1);

        // Who watched was not cut off.
        (await watched)[^1].Succeeded.ShouldBeTrue();
    }

    [Fact]
    public Task When_the_broker_is_killed_in_the_middle_the_upgrade_goes_on() => RunAsync(async (servers, second, host, result) =>
    {
        await servers.KillBrokerAsync();
        await servers.StartBrokerAsync();
        await Eventually.Get(async () =>
        {
            try
            {
                await host.SayAsync(result, Guid.NewGuid()).WaitAsync(TimeSpan.FromSeconds(5));
                return true;
            }
            catch (Exception e) when (e is not ShouldAssertException)
            {
                // The bus is not connected again yet.
                return false;
            }
        }, sent => sent, "the host says its result", TimeSpan.FromSeconds(90));
    }, ["--Upgrades:AcceptWithin=00:02:00", "--Upgrades:Grace=00:00:05"]);

    [Fact]
    public Task When_the_database_is_killed_in_the_middle_no_result_is_lost_and_no_deadline_is_judged_early() =>
        RunAsync(async (servers, second, host, result) =>
        {
            await servers.KillPostgresAsync();
            // The coordinators take it from the broker and cannot write it down.
            await host.SayAsync(result);
            // Load's time to be accepted (10 s) passes while the database is away.
            await Task.Delay(TimeSpan.FromSeconds(11));
            Grpc.Core.RpcException away = await Should.ThrowAsync<Grpc.Core.RpcException>(async () =>
                await second.Client.ListHostsAsync(new Wire.ListHostsRequest()));
            away.StatusCode.ShouldBe(Grpc.Core.StatusCode.Unavailable);
            await servers.StartPostgresAsync();
        }, ["--Upgrades:AcceptWithin=00:00:09", "--Upgrades:Grace=00:00:01", "--Delivery:CatchUp=00:00:20"]);

    [Fact]
    public async Task When_the_broker_is_away_at_the_start_the_command_is_sent_when_it_is_back()
    {
        await using PrivateServers servers = await PrivateServers.StartAsync();
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync("--Upgrades:AcceptWithin=00:02:00");
        TestHostAgent host = await fleet.StartHostAsync("h1", "web");
        await servers.KillBrokerAsync();
        string id = (await coordinator.StartUpgradeAsync("h1")).Upgrades.Single().Id;
        await servers.StartBrokerAsync();
        List<Wire.Upgrade> seen = await coordinator.WatchAsync(id, TimeSpan.FromSeconds(120));
        seen[^1].State.ShouldBe("Completed", seen[^1].Reason);
        host.StepsAsked(Guid.Parse(id)).ShouldBe(Forward);
    }
}
