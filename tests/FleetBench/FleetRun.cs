using System.Diagnostics;
using System.Text;
using Grpc.Core;
using Grpc.Net.Client;
using Npgsql;
using TwinKernel.Fleet.Migrations;
using TwinKernel.Fleet.Simulator;
using TwinKernel.Fleet.Simulator.Reporting;
using TwinKernel.Fleet.Simulator.Scenarios;
using TwinKernel.Fleet.Tests.Servers;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.FleetBench;

/// <summary>What a rollout cost, all of the time from its start to its end.</summary>
internal sealed record RolloutFigures
{
    public required int Guests { get; init; }
    public required int Hosts { get; init; }

    /// <summary>Fewer than there are guests when the rollout was given no time to end; the other figures are of these.</summary>
    public required long Upgraded { get; init; }
    public required double Seconds { get; init; }
    public required double UpgradesPerSecond { get; init; }

    /// <summary>From the call that starts the rollout to the first command that an agent has.</summary>
    public required double FirstCommandMs { get; init; }
    public required double CoordinatorCpuMsPerUpgrade { get; init; }
    public required double CoordinatorPeakMiB { get; init; }
    public required double PostgresCpuMsPerUpgrade { get; init; }
    public required double CommitsPerUpgrade { get; init; }
    public required double RowsWrittenPerUpgrade { get; init; }
    public required double RowsReadPerUpgrade { get; init; }
    public required double MessagesPerUpgrade { get; init; }
    public required double FloorBrokerSeconds { get; init; }
    public required double FloorPostgresSeconds { get; init; }

    /// <summary>How many times the floor it took.</summary>
    public double Ratio => Seconds / (FloorBrokerSeconds + FloorPostgresSeconds);
}

/// <summary>What hosts cost that do nothing but beat.</summary>
internal sealed record IdleFigures(int Hosts, double HeartbeatSeconds, double CoordinatorCpuPercent, double CoordinatorPeakMiB, double PostgresCpuPercent, double BeatsPerSecond);

/// <summary>One coordinator as a process, a simulated fleet in this one, a database and a virtual host of their own.</summary>
internal sealed class FleetRun : IAsyncDisposable
{
    private const int AtOnce = 200;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);
    private readonly string _database;
    private readonly BuiltProgram _coordinator;
    private readonly GrpcChannel _channel;
    private readonly Wire.Fleet.FleetClient _client;
    private readonly Simulation _simulation;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _running;

    private FleetRun(string database, BuiltProgram coordinator, GrpcChannel channel, Simulation simulation, Uri broker)
    {
        (_database, _coordinator, _channel, _simulation) = (database, coordinator, channel, simulation);
        _client = new Wire.Fleet.FleetClient(channel);
        _running = simulation.RunAsync(broker, _end.Token);
    }

    /// <param name="servers">Which run.</param>
    /// <param name="hosts">Besides one whose guests warm everything up.</param>
    /// <param name="guests">On each.</param>
    /// <param name="log">The coordinator's.</param>
    public static async Task<FleetRun> StartAsync(PrivateServers servers, int hosts, int guests, string log)
    {
        string database = new NpgsqlConnectionStringBuilder(await servers.CreateDatabaseAsync()) { Options = "-c synchronous_commit=on" }.ConnectionString;
        Uri broker = await servers.CreateVirtualHostAsync();
        StringWriter error = new();
        if (await MigrateCommand.RunAsync([], _ => database, TextWriter.Null, error, CancellationToken.None) != MigrateCommand.Done)
        {
            throw new InvalidOperationException($"The database cannot be migrated: {error}");
        }

        string address = $"http://127.0.0.1:{FreePort.Tcp()}";
        Dictionary<string, string> environment = new()
        {
            ["ConnectionStrings__Fleet"] = database,
            ["Broker__Uri"] = broker.ToString(),
            ["ASPNETCORE_URLS"] = address,
            ["Hosts__MaxHeartbeatsPerSecond"] = MostBeats,
            ["Logging__LogLevel__Default"] = "Warning",
        };
        foreach (string name in Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(name => name.StartsWith("BENCH_", StringComparison.Ordinal)))
        {
            environment[name["BENCH_".Length..]] = Environment.GetEnvironmentVariable(name)!;
        }

        BuiltProgram coordinator = BuiltProgram.Start("Coordinator", "TwinKernel.Fleet.Coordinator", log, environment);
        FleetRun run = new(database, coordinator, GrpcChannel.ForAddress(address), new Simulation(Scenario(hosts, guests), TimeProvider.System), broker);
        await run.UntilAsync($"{(hosts * guests) + 10} guests are registered", "select count(*) = $1 from guests", (long)(hosts * guests) + 10);
        return run;
    }

    /// <param name="servers">For the floor.</param>
    /// <param name="atMost">What runs longer is measured until then.</param>
    public async Task<RolloutFigures> RollOutAsync(PrivateServers servers, TimeSpan atMost)
    {
        await CreateAsync("warm-up", "pool=warm");
        await StartAsync("warm-up");
        await UntilAsync("the warm-up ends", "select state = 'Completed' from rollouts where name = $1", "warm-up");
        await CreateAsync("bench", "pool=cold");

        int guests = _simulation.Hosts.Where(host => host.Labels["pool"] == "cold").Sum(host => host.Guests.Count);
        long commands = _simulation.Tally.Of(Counted.Command);
        long said = _simulation.Tally.Of(Counted.Published);
        DatabaseLoad database = await DatabaseLoad.OfAsync(_database);
        ProcessLoad process = ProcessLoad.Of(_coordinator.Id);
        long began = Stopwatch.GetTimestamp();
        Task<TimeSpan> first = FirstCommandAsync(commands, began);
        await StartAsync("bench");
        bool ended = await UntilAsync("the rollout ends", "select state in ('Completed', 'Paused', 'Failed', 'Stopped') from rollouts where name = $1", "bench", atMost);
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        commands = _simulation.Tally.Of(Counted.Command) - commands;
        said = _simulation.Tally.Of(Counted.Published) - said;
        TimeSpan cpu = ProcessLoad.Of(_coordinator.Id).Cpu - process.Cpu;
        ProcessLoad peak = ProcessLoad.Of(_coordinator.Id);
        long upgraded = guests;
        if (ended)
        {
            await UntilAsync("it has upgraded all", "select count(*) = $1 from upgrades where state = 'Completed'", guests + 10L);
        }
        else
        {
            upgraded = await CountAsync("select count(*) - 10 from upgrades where state = 'Completed'");
        }

        await QuietAsync();
        // The server counts what a connection did after it has been idle for a second.
        await Task.Delay(TimeSpan.FromSeconds(2));
        database = await DatabaseLoad.OfAsync(_database) - database;
        if (!ended)
        {
            await _coordinator.KillAsync();
        }

        return new RolloutFigures
        {
            Guests = guests,
            Upgraded = upgraded,
            Hosts = _simulation.Hosts.Count - 1,
            Seconds = took.TotalSeconds,
            UpgradesPerSecond = upgraded / took.TotalSeconds,
            FirstCommandMs = (await first).TotalMilliseconds,
            CoordinatorCpuMsPerUpgrade = cpu.TotalMilliseconds / upgraded,
            CoordinatorPeakMiB = peak.PeakBytes / 1048576.0,
            PostgresCpuMsPerUpgrade = database.Cpu.TotalMilliseconds / upgraded,
            CommitsPerUpgrade = (double)database.Commits / upgraded,
            RowsWrittenPerUpgrade = (double)database.RowsWritten / upgraded,
            RowsReadPerUpgrade = (double)database.RowsRead / upgraded,
            MessagesPerUpgrade = (double)(commands + said) / upgraded,
            FloorBrokerSeconds = (await Floor.BrokerAsync(await servers.CreateVirtualHostAsync(), commands + said)).TotalSeconds,
            FloorPostgresSeconds = (await Floor.PostgresAsync(
                new NpgsqlConnectionStringBuilder(await servers.CreateDatabaseAsync()) { Options = "-c synchronous_commit=on" }.ConnectionString, said, database.RowsWritten)).TotalSeconds,
        };
    }

    public async Task<IdleFigures> IdleAsync(TimeSpan length)
    {
        // All have been told how often to beat; what they do until then is done once.
        if (!await UntilAsync("all hosts beat at that pace", "select count(*) > $1 and min(heartbeat_interval) > 0.7 * $1 / " + MostBeats + " * interval '1 second' from hosts",
            _simulation.Hosts.Count - 1L, PacePatience))
        {
            throw new TimeoutException($"After {PacePatience} the hosts do not beat as seldom as they were told; see the coordinator's log.");
        }

        await LevelAsync();
        long beats = _simulation.Tally.Of(Counted.Heartbeat);
        DatabaseLoad database = await DatabaseLoad.OfAsync(_database);
        TimeSpan process = ProcessLoad.Of(_coordinator.Id).Cpu;
        long began = Stopwatch.GetTimestamp();
        await Task.Delay(length);
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        ProcessLoad now = ProcessLoad.Of(_coordinator.Id);
        return new IdleFigures(
            _simulation.Hosts.Count - 1, Heartbeat.TotalSeconds, (now.Cpu - process).TotalSeconds / seconds * 100, now.PeakBytes / 1048576.0,
            (await DatabaseLoad.OfAsync(_database) - database).Cpu.TotalSeconds / seconds * 100, (_simulation.Tally.Of(Counted.Heartbeat) - beats) / seconds);
    }

    /// <summary>Returns when the coordinator's work is level: what was made for many hosts at once is put away behind it.</summary>
    private async Task LevelAsync()
    {
        TimeSpan window = TimeSpan.FromSeconds(20), began = ProcessLoad.Of(_coordinator.Id).Cpu;
        for (TimeSpan waited = TimeSpan.Zero, before = TimeSpan.Zero; waited < PacePatience; waited += window)
        {
            await Task.Delay(window);
            TimeSpan now = ProcessLoad.Of(_coordinator.Id).Cpu, took = now - began;
            if (took > before * 0.8 && took < before * 1.2)
            {
                return;
            }

            (began, before) = (now, took);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await QuietAsync();
        _channel.Dispose();
        await _coordinator.DisposeAsync();
        _end.Dispose();
    }

    /// <summary>Nothing of it takes time from what comes next.</summary>
    private async Task QuietAsync()
    {
        if (!_end.IsCancellationRequested)
        {
            await _end.CancelAsync();
            await _running;
        }
    }

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);
    private const string MostBeats = "500";
    private static readonly TimeSpan PacePatience = TimeSpan.FromMinutes(4);

    private static Scenario Scenario(int hosts, int guests) => ScenarioReader.Read(Encoding.UTF8.GetBytes($$"""
        {
          "images": [
            { "name": "debian-6.1", "digest": "sha256:{{new string('1', 64)}}", "kernelRelease": "6.1.0" },
            { "name": "debian-6.12", "digest": "sha256:{{new string('2', 64)}}", "kernelRelease": "6.12.1" }
          ],
          "heartbeat": "{{Heartbeat.TotalSeconds:0}}s",
          "hosts": [
            { "name": "warm", "guests": 10, "image": "debian-6.1", "labels": { "pool": "warm" } },
            { "name": "cold", "count": {{hosts}}, "guests": {{guests}}, "image": "debian-6.1", "labels": { "pool": "cold", "zone": ["a", "b", "c"] } }
          ],
          "steps": { "others": { "latency": { "median": "0s" } } }
        }
        """));

    private async Task<TimeSpan> FirstCommandAsync(long before, long began)
    {
        while (_simulation.Tally.Of(Counted.Command) == before)
        {
            await Task.Delay(1);
        }

        return Stopwatch.GetElapsedTime(began);
    }

    private async Task CreateAsync(string name, string selector) => await _client.CreateRolloutAsync(new Wire.CreateRolloutRequest
    {
        Definition = $$"""{"name": "{{name}}", "image": "debian-6.12", "selector": "{{selector}}", "limits": [{"layer": "fleet", "maxConcurrent": "{{AtOnce}}"}]}""",
        RequestId = Guid.NewGuid().ToString(),
        Actor = "bench",
    });

    private async Task StartAsync(string name) => await _client.ControlRolloutAsync(new Wire.ControlRolloutRequest { Rollout = name, Act = "start", Actor = "bench" });

    private async Task<long> CountAsync(string query)
    {
        await using NpgsqlConnection connection = new(_database);
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(query, connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>False: it did not come true within the time that was given.</summary>
    private async Task<bool> UntilAsync(string what, string query, object value, TimeSpan? within = null)
    {
        long began = Stopwatch.GetTimestamp();
        await using NpgsqlConnection connection = new(_database);
        await connection.OpenAsync();
        while (true)
        {
            await using NpgsqlCommand command = new(query, connection) { Parameters = { new NpgsqlParameter { Value = value } } };
            if (await command.ExecuteScalarAsync() is true)
            {
                return true;
            }

            if (Stopwatch.GetElapsedTime(began) > within)
            {
                return false;
            }

            if (_running.IsFaulted)
            {
                await _running;
            }

            if (_coordinator.HasEnded || Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException($"Did not come true: {what}; the coordinator's log is {_coordinator.LogFile}");
            }

            await Task.Delay(100);
        }
    }
}
