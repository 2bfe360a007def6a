using Microsoft.EntityFrameworkCore;
using RabbitMQ.Client;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Coordinator.Upgrades;
using TwinKernel.Fleet.Simulator.Hosts;
using TwinKernel.Fleet.Simulator.Reporting;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Simulator.Tests;

/// <summary>A simulated fleet, two real coordinators, the real database and the real broker.</summary>
public sealed class SimulatedRolloutTests(ServersFixture servers)
{
    private const int InFleet = 8;
    private const int InZone = 5;
    private const int OnHost = 2;
    private const string Limits = """[{"layer": "fleet", "maxConcurrent": "8"}, {"layer": "zone", "maxConcurrent": "5"}, {"layer": "host", "maxConcurrent": "2"}]""";

    private const string Patient = """{"attempts": 6, "backoff": "0s", "thresholds": [{"percent": 100, "action": "pause"}]}""";

    /// <summary>Ten times what it takes alone.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    /// <summary>Between a coordinator's look at its clock and its transaction.</summary>
    private static readonly TimeSpan ClockReading = TimeSpan.FromMilliseconds(100);

    [Fact]
    public async Task A_rollout_over_a_fleet_with_failures_keeps_its_limits_and_ends_as_its_policy_says()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest[] coordinators = [await fleet.StartCoordinatorAsync(), await fleet.StartCoordinatorAsync()];
        Simulation simulation = new(SampleScenario.Read(
            """
            "seed": 7, "heartbeat": "500ms", "timeScale": 10,
            "hosts": [{ "name": "sim", "count": 10, "guests": 4, "image": "debian-6.1", "labels": { "zone": ["a", "b"] } }],
            "steps": {
              "others": { "latency": { "median": "200ms", "p95": "600ms" } },
              "Boot": { "latency": { "median": "400ms", "p95": "1s" }, "failures": { "LaunchTimedOut": 0.1 } },
              "Standby": { "latency": { "median": "200ms" }, "failures": { "StandbyKernelSilent": 0.05 } },
              "Commit": { "latency": { "median": "200ms" }, "failures": { "CommitIncomplete": 0.05 } }
            },
            "silences": [{ "share": 0.3, "at": "20s", "for": "30s" }],
            "restarts": [{ "share": 0.3, "at": "30s", "for": "4s" }]
            """), TimeProvider.System);
        using CancellationTokenSource end = new();
        Task run = simulation.RunAsync(fleet.Broker, end.Token);
        await Eventually.Get(() => fleet.Read(db => db.Guests.CountAsync()), count => count == 40, "all guests are registered", Patience);

        // There, whatever it takes.
        await coordinators[0].CreateRolloutAsync("there",
            $$""" "selector": "*", "canary": {"count": 2, "errors": {{Patient}} }, "limits": {{Limits}}, "waves": [{"percent": 100, "errors": {{Patient}} }] """);
        Wire.Rollout there = await Eventually.Get(() => coordinators[1].GetRolloutAsync("there"), seen => seen.State is "Completed" or "Paused", "the rollout ends", Patience);
        (there.State, there.Succeeded).ShouldBe(("Completed", true), there.Reason);
        simulation.Hosts.SelectMany(host => host.Guests.Values).ShouldAllBe(guest => guest.Commits == 1);
        Wire.InspectGuestResponse inside = await coordinators[0].Client.InspectGuestAsync(new Wire.InspectGuestRequest { Host = "sim-01", Guest = "g1" });
        inside.Inspection.Status.KernelRelease.ShouldBe("6.12.1");

        // And back, until the first one fails.
        await coordinators[1].Client.CreateRolloutAsync(new Wire.CreateRolloutRequest
        {
            Definition = $$"""{"name": "back", "image": "debian-6.1", "allowDowngrade": true, "selector": "*", "limits": {{Limits}}, "waves": [{"percent": 100, "errors": {"attempts": 1, "thresholds": [{"count": 1, "action": "pause"}]} }] }""",
            RequestId = Guid.NewGuid().ToString(),
            Start = true,
            Actor = "ann",
        });
        Wire.Rollout back = await Eventually.Get(() => coordinators[0].GetRolloutAsync("back"),
            seen => seen.State is "Completed" or "Paused" && seen.Members.All(member => member.State != "Running"), "the rollout pauses", Patience);
        back.State.ShouldBe("Paused");
        back.Members.Count(member => member.State == "Failed").ShouldBeInRange(1, InFleet, "those that ran when the first one failed, no more");
        back.Members.ShouldContain(member => member.State == "Waiting");

        await CheckAsync(fleet, simulation, there, back);
        await end.CancelAsync();
        await run.WaitAsync(TimeSpan.FromSeconds(30));
        QueueDeclareOk queue = await LookAtQueueAsync(fleet.Broker, QueueNames.Host("sim-01"));
        (queue.ConsumerCount, queue.MessageCount).ShouldBe((0u, 0u), "the queue stays, as an agent leaves it");
    }

    private static async Task CheckAsync(FleetUnderTest fleet, Simulation simulation, Wire.Rollout there, Wire.Rollout back)
    {
        List<UpgradeRecord> rows = await fleet.Read(db => db.Upgrades.AsNoTracking().ToListAsync());
        rows.ShouldAllBe(row => row.FinishedAt != null);
        rows.Count(row => row.State != UpgradeState.Completed).ShouldBeGreaterThan(2, "the scenario makes some fail");

        // Nobody is upgraded twice: in the rows, and in the machines.
        rows.Where(row => row.State == UpgradeState.Completed).Select(row => (row.HostName, row.GuestName, row.ImageDigest)).ShouldBeUnique();
        rows.Select(row => (row.HostName, row.GuestName, row.Epoch)).ShouldBeUnique();
        foreach (SimulatedHost host in simulation.Hosts)
        {
            foreach (SimulatedGuest guest in host.Guests.Values)
            {
                guest.Commits.ShouldBe(rows.Count(row => row.HostName == host.Name && row.GuestName == guest.Name && row.State == UpgradeState.Completed), $"{host.Name}/{guest.Name}");
            }
        }

        // No limit is exceeded: by the coordinators' rows, and by what the hosts saw on one clock.
        DateTimeOffset first = rows.Min(row => row.CreatedAt);
        WithinLimits(simulation, rows.Select(row => new Seen(row.HostName, row.GuestName, row.CreatedAt - first, row.FinishedAt!.Value - first - ClockReading)).Where(seen => seen.To > seen.From));
        WithinLimits(simulation, simulation.Hosts.SelectMany(host => host.Disk.Steps).GroupBy(step => step.Command.UpgradeId).Select(steps => new Seen(
            steps.First().Command.Host, steps.First().Command.Guest,
            TimeProvider.System.GetElapsedTime(0, steps.Min(step => step.AcceptedAt)), TimeProvider.System.GetElapsedTime(0, steps.Max(step => step.FinishedAt)))));

        // Everything is written down, and let go.
        List<AuditEntry> audit = await fleet.Read(db => db.Audit.OrderBy(entry => entry.Id).ToListAsync());
        Guid thereId = Guid.Parse(there.Id);
        Guid backId = Guid.Parse(back.Id);
        audit.Where(entry => entry.RolloutId == thereId).Select(entry => entry.Act).ShouldBe(["create", "start", "wave-ended", "settled", "wave-ended", "settled"]);
        audit.Where(entry => entry.RolloutId == backId).Select(entry => entry.Act).Take(2).ShouldBe(["create", "start"]);
        (await fleet.Read(db => db.AdmissionLeases.CountAsync())).ShouldBe(0);
        (await fleet.Read(db => db.RolloutMembers.CountAsync(member => member.RolloutId == thereId && member.State != MemberState.Succeeded))).ShouldBe(0);
        simulation.Tally.Of(Counted.Restart).ShouldBeGreaterThan(0);
        simulation.Tally.Of(Counted.Unreadable).ShouldBe(0);
    }

    private static void WithinLimits(Simulation simulation, IEnumerable<Seen> upgrades)
    {
        Seen[] all = [.. upgrades];
        Dictionary<string, string> zones = simulation.Hosts.ToDictionary(host => host.Name, host => host.Labels["zone"]);
        FleetEvidence.Most(all, _ => "fleet").ShouldBeInRange(3, InFleet, "several at once, never too many");
        FleetEvidence.Most(all, seen => zones[seen.Host]).ShouldBeInRange(2, InZone);
        FleetEvidence.Most(all, seen => seen.Host).ShouldBeInRange(1, OnHost);
        FleetEvidence.Most(all, seen => $"{seen.Host}/{seen.Guest}").ShouldBe(1);
    }

    private static async Task<QueueDeclareOk> LookAtQueueAsync(Uri broker, string queue)
    {
        await using IConnection connection = await new ConnectionFactory { Uri = broker }.CreateConnectionAsync();
        await using IChannel channel = await connection.CreateChannelAsync();
        return await channel.QueueDeclarePassiveAsync(queue);
    }
}
