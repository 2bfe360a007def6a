using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Tests.Servers;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Simulator.Tests.Faults;

/// <summary>The fleet that cells are played on, one after the other; a new one after a cell that failed.</summary>
public sealed class FaultFleet : IAsyncDisposable
{
    private const string Scenario =
        """
        {
          "seed": 11, "heartbeat": "2s",
          "images": [
            { "name": "debian-6.1", "digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111", "kernelRelease": "6.1.0" },
            { "name": "debian-6.12", "digest": "sha256:2222222222222222222222222222222222222222222222222222222222222222", "kernelRelease": "6.12.1" }
          ],
          "hosts": [{
            "name": "sim", "count": 6, "guests": 5, "image": "debian-6.1",
            "labels": { "zone": ["a", "b"] }, "guestLabels": { "pool": ["web", "web", "web", "web", "spare"] }
          }],
          "steps": {
            "others": { "latency": { "median": "80ms", "p95": "200ms" } },
            "Transfer": { "latency": { "median": "80ms" }, "failures": { "TransferRefused": 0.25 } }
          }
        }
        """;

    private static readonly Dictionary<string, string> Settings = new()
    {
        ["Rollouts__Interval"] = "00:00:00.2",
        ["Delivery__ReconcileInterval"] = "00:00:00.2",
        ["Delivery__CatchUp"] = "00:00:05",
        ["Logging__LogLevel__Microsoft.EntityFrameworkCore"] = "None",
    };

    private static readonly TimeSpan Start = TimeSpan.FromMinutes(2);
    private FleetProcesses? _fleet;
    private int _fleets;

    /// <summary>Rollouts so far: each brings all guests to the image that they do not have.</summary>
    internal int Rollouts { get; set; }

    internal async Task<FleetProcesses> GetAsync()
    {
        if (_fleet is null)
        {
            Rollouts = 0;
            string directory = Repository.Find("state", "test-faults", $"{++_fleets}");
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }

            Directory.CreateDirectory(directory);
            _fleet = await FleetProcesses.StartAsync(directory, Scenario, coordinators: 2, Settings);
            await _fleet.UntilAsync("all guests are registered", Start, "select count(*) = 30 from guests");
        }

        return _fleet;
    }

    internal async Task ForgetAsync()
    {
        if (_fleet is { } fleet)
        {
            _fleet = null;
            await fleet.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync() => await ForgetAsync();
}

/// <summary>
/// A rollout over 24 guests, with two coordinators; when a guest is in the middle of a step, something is killed or cut, and mended after
/// a while. Whatever it was: the rollout completes, and the checker finds nothing.
/// </summary>
public sealed class FaultMatrixTests(FaultFleet fleets) : IClassFixture<FaultFleet>
{
    /// <summary>Which guest's step it is that is struck: the canaries are over by then, and many run. Not so many are rolled back.</summary>
    private static int Struck(FaultCell cell) => cell.Step == UpgradeStep.RollBack ? 2 : 4;
    private const string Limits = """[{"layer": "fleet", "maxConcurrent": "8"}, {"layer": "zone", "maxConcurrent": "5"}, {"layer": "host", "maxConcurrent": "2"}]""";
    private const string Patient = """{"attempts": 12, "backoff": "0s", "thresholds": [{"percent": 100, "action": "pause"}]}""";
    private static readonly string[] Images = ["debian-6.12", "debian-6.1"];
    private static readonly string[] Digests = [$"sha256:{new string('2', 64)}", $"sha256:{new string('1', 64)}"];
    private static readonly TimeSpan Held = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static TheoryData<string> Cells() => [.. FaultCell.Wanted.Select(cell => $"{cell}")];

    [Theory]
    [MemberData(nameof(Cells))]
    public async Task Nothing_is_lost_done_twice_or_exceeded(string cell)
    {
        FleetProcesses fleet = await fleets.GetAsync();
        try
        {
            await PlayAsync(fleet, FaultCell.Parse(cell));
        }
        catch (Exception e)
        {
            await fleets.ForgetAsync();
            throw new InvalidOperationException($"{cell}; logs and journal are in {fleet.Directory}", e);
        }
    }

    private async Task PlayAsync(FleetProcesses fleet, FaultCell cell)
    {
        int number = fleets.Rollouts++;
        string name = $"r{number}";
        int before = fleet.Log.Read().Count;
        long audit = (await FleetRows.ListAsync(fleet.Looking, "select coalesce(max(id), 0) from audit", row => row.GetInt64(0))).Single();
        string request = Guid.NewGuid().ToString();
        await fleet.AskAsync((client, options) => client.CreateRolloutAsync(new Wire.CreateRolloutRequest
        {
            Definition = $$"""
                {"name": "{{name}}", "image": "{{Images[number % 2]}}", "allowDowngrade": true, "selector": "pool=web", "limits": {{Limits}},
                 "canary": {"count": 2, "errors": {{Patient}} }, "waves": [{"percent": 100, "errors": {{Patient}} }] }
                """,
            RequestId = request,
            Start = true,
            Actor = "ann",
        }, options));

        await Eventually.Be(
            () => fleet.Log.Read().Skip(before).Where(line => line.Word == "Began" && line.Step == $"{cell.Step}").DistinctBy(line => line.Upgrade).Count() >= Struck(cell),
            $"{Struck(cell)} guests begin {cell.Step}", Patience, every: TimeSpan.FromMilliseconds(5));
        Func<Task> mend = await StrikeAsync(fleet, cell.Fault, number % 2);
        Task act = ActAsync(fleet);
        await Task.Delay(Held);
        await mend();
        await act;

        await fleet.UntilAsync($"rollout {name} ends", Patience, "select state in ('Completed', 'Paused', 'Stopped', 'Failed', 'RolledBack') from rollouts where name = $1", name);
        await fleet.UntilAsync("the commands are marked as sent", Patience, "select count(*) = 0 from outbox where sent_at is null and expired_at is null");
        IReadOnlyList<AgentLine> log = [.. fleet.Log.Read().Skip(before)];
        FleetRows rows = await FleetRows.ReadAsync(fleet.Looking, name, audit) with { DeadLetters = await fleet.DeadLettersAsync() };
        rows.RolloutState.ShouldBe("Completed");
        log.Where(line => line is { Word: "Changed", Step: "Commit" }).Select(line => line.Name).Distinct().Count().ShouldBe(24);
        FleetChecker.Violations(new Evidence
        {
            Log = log,
            Rows = rows,
            Ceilings = [new("fleet", 8, _ => ""), new("zone", 5, line => int.Parse(line.Host[4..], System.Globalization.CultureInfo.InvariantCulture) % 2 == 1 ? "a" : "b"), new("host", 2, line => line.Host)],
            Deeds =
            [
                new("ann", "create", name), new("ann", "start", name), new("bob", "quarantine", "sim-1/g5"), new("bob", "release-guest", "sim-1/g5"),
            ],
            Image = Digests[number % 2],
        }).ShouldBeEmpty();
    }

    /// <summary>What a person does meanwhile.</summary>
    private static async Task ActAsync(FleetProcesses fleet)
    {
        foreach (bool release in (bool[])[false, true])
        {
            await fleet.AskAsync((client, options) => client.QuarantineGuestAsync(
                new Wire.QuarantineGuestRequest { Host = "sim-1", Guest = "g5", Reason = release ? "" : "looked at", Release = release, Actor = "bob" }, options));
        }
    }

    /// <returns>Makes it good again.</returns>
    private static async Task<Func<Task>> StrikeAsync(FleetProcesses fleet, Fault fault, int which)
    {
        CoordinatorProcess one = fleet.Coordinators[which];
        switch (fault)
        {
            case Fault.KillCoordinator:
                await one.KillAsync();
                return () => Done(one.Start);
            case Fault.KillCoordinators:
                await Task.WhenAll(fleet.Coordinators.Select(each => each.KillAsync()));
                return () => Done(() => fleet.Coordinators.ToList().ForEach(each => each.Start()));
            case Fault.KillAgents:
                await fleet.KillAgentsAsync();
                return () => Done(fleet.StartAgents);
            case Fault.KillBroker:
                await fleet.Servers.KillBrokerAsync();
                return fleet.Servers.StartBrokerAsync;
            case Fault.KillPostgres:
                await fleet.Servers.KillPostgresAsync();
                return fleet.Servers.StartPostgresAsync;
            default:
                CuttableLink link = fault switch
                {
                    Fault.CutCoordinatorBroker => one.ToBroker,
                    Fault.CutAgentsBroker => fleet.AgentsToBroker,
                    Fault.CutCoordinatorPostgres => one.ToPostgres,
                    _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "Not a fault."),
                };
                link.Cut();
                return () => Done(link.Mend);
        }
    }

    private static Task Done(Action act)
    {
        act();
        return Task.CompletedTask;
    }
}
