using System.Globalization;
using Grpc.Core;
using Grpc.Net.Client;
using Npgsql;
using RabbitMQ.Client;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Tests.Servers;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Simulator.Tests.Faults;

/// <summary>A coordinator as a process of its own, its ways to the servers, and a client of it.</summary>
internal sealed class CoordinatorProcess : IAsyncDisposable
{
    private readonly Dictionary<string, string> _environment;
    private readonly string _log;
    private readonly GrpcChannel _channel;
    private BuiltProgram? _program;

    public CoordinatorProcess(string database, Uri broker, string log, IReadOnlyDictionary<string, string> settings)
    {
        NpgsqlConnectionStringBuilder way = new(database);
        ToPostgres = new CuttableLink(way.Port);
        ToBroker = new CuttableLink(broker.Port);
        way.Port = ToPostgres.Port;
        string address = $"http://127.0.0.1:{FreePort.Tcp()}";
        _environment = new Dictionary<string, string>(settings)
        {
            ["ConnectionStrings__Fleet"] = way.ConnectionString,
            ["Broker__Uri"] = FleetProcesses.Through(broker, ToBroker).ToString(),
            ["ASPNETCORE_URLS"] = address,
        };
        _log = log;
        _channel = GrpcChannel.ForAddress(address);
        Client = new Wire.Fleet.FleetClient(_channel);
        Start();
    }

    public CuttableLink ToPostgres { get; }

    public CuttableLink ToBroker { get; }

    public Wire.Fleet.FleetClient Client { get; }

    public int Id => _program!.Id;

    public bool HasEnded => _program!.HasEnded;

    public void Start() => _program = BuiltProgram.Start("Coordinator", "TwinKernel.Fleet.Coordinator", _log, _environment);

    public Task KillAsync() => _program!.KillAsync();

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await _program!.DisposeAsync();
        await ToPostgres.DisposeAsync();
        await ToBroker.DisposeAsync();
    }
}

/// <summary>A fleet of which everything is a process that can be killed: two servers, coordinators, and a simulator with a journal.</summary>
internal sealed class FleetProcesses : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Call = TimeSpan.FromSeconds(10);
    private readonly PrivateServers _servers;
    private readonly string _scenario;
    private readonly List<CoordinatorProcess> _coordinators = [];
    private BuiltProgram? _simulator;
    private int _next;

    private FleetProcesses(PrivateServers servers, string directory)
    {
        (_servers, Directory) = (servers, directory);
        _scenario = Path.Combine(directory, "scenario.json");

        // The test servers commit without waiting for their log to be written, and would lose the last commits when killed.
        Database = new NpgsqlConnectionStringBuilder(servers.PostgresConnectionString) { Options = "-c synchronous_commit=on" }.ConnectionString;
        Looking = new NpgsqlConnectionStringBuilder(Database) { Pooling = false }.ConnectionString;
        AgentsToBroker = new CuttableLink(servers.BrokerUri.Port);
        Log = new AgentLog(Journal);
    }

    /// <summary>Where logs and the journal are.</summary>
    public string Directory { get; }

    public string Database { get; }

    /// <summary>Connection string of who looks from outside: nothing of it is kept over the death of a server.</summary>
    public string Looking { get; }

    public PrivateServers Servers => _servers;

    public CuttableLink AgentsToBroker { get; }

    public IReadOnlyList<CoordinatorProcess> Coordinators => _coordinators;

    public AgentLog Log { get; }

    private string Journal => Path.Combine(Directory, "journal");

    /// <param name="directory">An empty one.</param>
    /// <param name="scenario">What the simulator plays.</param>
    /// <param name="coordinators">How many.</param>
    /// <param name="settings">Of every coordinator.</param>
    public static async Task<FleetProcesses> StartAsync(string directory, string scenario, int coordinators, IReadOnlyDictionary<string, string> settings)
    {
        FleetProcesses fleet = new(await PrivateServers.StartAsync(), directory);
        try
        {
            await FleetUnderTest.Migrate(fleet.Database);
            await File.WriteAllTextAsync(fleet._scenario, scenario);
            for (int number = 1; number <= coordinators; number++)
            {
                fleet._coordinators.Add(new CoordinatorProcess(fleet.Database, fleet._servers.BrokerUri, Path.Combine(directory, $"coordinator-{number}.log"), settings));
            }

            fleet.StartAgents();
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    public static Uri Through(Uri broker, CuttableLink link) => new UriBuilder(broker) { Port = link.Port }.Uri;

    public void StartAgents() => _simulator = BuiltProgram.Start("Simulator", "TwinKernel.Fleet.Simulator", Path.Combine(Directory, "simulator.log"),
        new Dictionary<string, string> { ["Broker__Uri"] = Through(_servers.BrokerUri, AgentsToBroker).ToString() }, _scenario, "--journal", Journal, "--json");

    public Task KillAgentsAsync() => _simulator!.KillAsync();

    /// <summary>Asks one coordinator after the other until one answers. What is asked must be what may be asked twice.</summary>
    public async Task<T> AskAsync<T>(Func<Wire.Fleet.FleetClient, CallOptions, AsyncUnaryCall<T>> ask)
    {
        using CancellationTokenSource late = new(Patience);
        while (true)
        {
            CoordinatorProcess one = _coordinators[_next++ % _coordinators.Count];
            try
            {
                return await ask(one.Client, new CallOptions(deadline: DateTime.SpecifyKind((TimeProvider.System.GetUtcNow() + Call).UtcDateTime, DateTimeKind.Utc)));
            }
            catch (RpcException e) when (!late.IsCancellationRequested && e.StatusCode is not (StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.NotFound))
            {
                await Task.Delay(200);
            }
        }
    }

    /// <summary>Waits for what a query says.</summary>
    public async Task UntilAsync(string what, TimeSpan within, string query, params object[] values) => await Eventually.Get(async () =>
    {
        try
        {
            return string.Join(", ", await FleetRows.ListAsync(Looking, query, row => Convert.ToString(row.GetValue(0), CultureInfo.InvariantCulture), values));
        }
        catch (NpgsqlException e)
        {
            return e.Message;
        }
    }, seen => seen == "True", what, within, every: TimeSpan.FromMilliseconds(250));

    /// <summary>How many messages are in the queue of what nobody could take in.</summary>
    public async Task<IReadOnlyList<string>> DeadLettersAsync()
    {
        List<string> found = [];
        await using IConnection connection = await new ConnectionFactory { Uri = _servers.BrokerUri }.CreateConnectionAsync();
        try
        {
            await using IChannel channel = await connection.CreateChannelAsync();
            uint count = (await channel.QueueDeclarePassiveAsync(QueueNames.DeadLetters)).MessageCount;
            found.AddRange(count == 0 ? [] : [$"{count} in {QueueNames.DeadLetters}"]);
        }
        catch (RabbitMQ.Client.Exceptions.OperationInterruptedException)
        {
            // There is none before the first.
        }

        return found;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (CoordinatorProcess coordinator in _coordinators)
        {
            await coordinator.DisposeAsync();
        }

        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }

        await AgentsToBroker.DisposeAsync();
        await _servers.DisposeAsync();
    }
}
