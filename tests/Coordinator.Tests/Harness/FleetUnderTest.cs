using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Migrations;
using TwinKernel.Fleet.Tests.Servers;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Tests.Harness;

/// <summary>A migrated database and a virtual host of its own, with as many coordinators and host agents as a test wants.</summary>
internal sealed class FleetUnderTest : IAsyncDisposable
{
    public const string ImageA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    public const string ImageB = "sha256:bbbbbbbb00000000000000000000000000000000000000000000000000000000";

    private readonly string _database;
    private readonly Uri _broker;
    private readonly NpgsqlDataSource _source;
    private readonly List<IAsyncDisposable> _parts = [];

    private FleetUnderTest(string database, Uri broker)
    {
        _database = database;
        _broker = broker;
        _source = NpgsqlDataSource.Create(database);
    }

    public string ConnectionString => _database;

    /// <summary>Its virtual host, with the login.</summary>
    public Uri Broker => _broker;

    public static async Task<FleetUnderTest> StartAsync(PrivateServers servers)
    {
        // The test servers commit without waiting for their log to be written, and would lose the last commits when killed.
        string database = new NpgsqlConnectionStringBuilder(await servers.CreateDatabaseAsync())
        {
            Options = "-c synchronous_commit=on",
        }.ConnectionString;
        FleetUnderTest fleet = new(database, await servers.CreateVirtualHostAsync());
        await Migrate(fleet._database);
        return fleet;
    }

    public static async Task Migrate(string database)
    {
        StringWriter error = new();
        int code = await MigrateCommand.RunAsync([], _ => database, TextWriter.Null, error, CancellationToken.None);
        code.ShouldBe(MigrateCommand.Done, error.ToString());
    }

    /// <summary>What a coordinator is told; short times, so that a test does not wait.</summary>
    public string[] Settings(params ReadOnlySpan<string> more) =>
    [
        $"--ConnectionStrings:Fleet={_database}", $"--Broker:Uri={_broker}", "--urls=http://127.0.0.1:0",
        "--Logging:LogLevel:Default=Error", "--Logging:LogLevel:Microsoft.EntityFrameworkCore=None",
        "--Logging:LogLevel:Microsoft.Hosting.Lifetime=None", "--Logging:LogLevel:MassTransit=None", "--Logging:LogLevel:TwinKernel=Critical",
        "--Logging:LogLevel:Quartz=None", "--Logging:LogLevel:Npgsql=None",
        "--Delivery:CatchUp=00:00:00", "--Delivery:ReconcileInterval=00:00:00.1", "--Rollouts:Interval=00:00:00.1",
        "--Upgrades:Grace=00:00:00.2", "--Upgrades:Backoff=00:00:00.2", "--Upgrades:BackoffLimit=00:00:00.5",
        .. more,
    ];

    public async Task<CoordinatorUnderTest> StartCoordinatorAsync(params string[] more)
    {
        WebApplication app = Program.Build(Settings(more));
        await app.StartAsync();
        CoordinatorUnderTest coordinator = new(app);
        _parts.Insert(0, coordinator);
        return coordinator;
    }

    public async Task<TestHostAgent> StartHostAsync(string host, params string[] guests)
    {
        TestHostAgent agent = await TestHostAgent.StartAsync(_broker, host, guests);
        _parts.Insert(0, agent);
        await agent.BeatAsync();
        await Eventually.Get(() => Read(db => db.Hosts.CountAsync(row => row.Name == host)), count => count == 1, $"{host} is registered");
        return agent;
    }

    public async Task<T> Read<T>(Func<FleetDbContext, Task<T>> query)
    {
        try
        {
            await using FleetDbContext db = FleetDbContextFactory.Create(_source);
            return await query(db);
        }
        catch (Exception e) when (FleetTransaction.IsDatabaseTrouble(e))
        {
            // A pooled connection to a server that was killed meanwhile; the others of the pool are as dead.
            NpgsqlConnection.ClearAllPools();
            await using FleetDbContext db = FleetDbContextFactory.Create(_source);
            return await query(db);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable part in _parts)
        {
            await part.DisposeAsync();
        }

        await _source.DisposeAsync();
    }
}

/// <summary>One coordinator in this process, and a client of it.</summary>
internal sealed class CoordinatorUnderTest : IAsyncDisposable
{
    private readonly GrpcChannel _channel;
    private bool _stopped;

    public CoordinatorUnderTest(WebApplication app)
    {
        App = app;
        _channel = GrpcChannel.ForAddress(app.Urls.Single());
        Client = new Wire.Fleet.FleetClient(_channel);
    }

    public WebApplication App { get; }

    public Wire.Fleet.FleetClient Client { get; }

    public async Task<Wire.StartUpgradeResponse> StartUpgradeAsync(string host, Guid? request = null) =>
        await Client.StartUpgradeAsync(new Wire.StartUpgradeRequest
        {
            Host = host,
            Image = "debian-6.12",
            RequestId = (request ?? Guid.NewGuid()).ToString(),
        });

    /// <summary>Watches until the upgrade has ended; all that was sent on the way, in order.</summary>
    public async Task<List<Wire.Upgrade>> WatchAsync(string id, TimeSpan? within = null)
    {
        using AsyncServerStreamingCall<Wire.Upgrade> call = Client.WatchUpgrade(
            new Wire.GetUpgradeRequest { Id = id }, deadline: DateTime.SpecifyKind(
                TimeProvider.System.GetUtcNow().UtcDateTime + (within ?? TimeSpan.FromSeconds(60)), DateTimeKind.Utc));
        List<Wire.Upgrade> seen = [];
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            seen.Add(call.ResponseStream.Current);
        }

        return seen;
    }

    /// <param name="definition">JSON without the name and the image.</param>
    public async Task<Wire.Rollout> CreateRolloutAsync(string name, string definition, bool start = true) =>
        await Client.CreateRolloutAsync(new Wire.CreateRolloutRequest
        {
            Definition = $$"""{"name": "{{name}}", "image": "debian-6.12", {{definition}}}""",
            RequestId = Guid.NewGuid().ToString(),
            Start = start,
            Actor = "ann",
        });

    public async Task<Wire.Rollout> ControlAsync(string rollout, string act, string reason = "") =>
        await Client.ControlRolloutAsync(new Wire.ControlRolloutRequest { Rollout = rollout, Act = act, Actor = "bob", Reason = reason });

    public async Task<Wire.Rollout> GetRolloutAsync(string rollout) => await Client.GetRolloutAsync(new Wire.GetRolloutRequest { Rollout = rollout });

    /// <summary>Waits until the rollout is in a state.</summary>
    public Task<Wire.Rollout> UntilAsync(string rollout, string state, TimeSpan? within = null) =>
        Eventually.Get(() => GetRolloutAsync(rollout), seen => seen.State == state, $"rollout {rollout} is {state}", within);

    public async ValueTask DisposeAsync()
    {
        if (_stopped)
        {
            return;
        }

        _stopped = true;
        _channel.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
    }
}
