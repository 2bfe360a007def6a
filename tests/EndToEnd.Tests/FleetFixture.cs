using Grpc.Net.Client;
using Npgsql;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.EndToEnd.Tests;
using TwinKernel.Fleet.Tests.Servers;

[assembly: AssemblyFixture(typeof(FleetFixture))]

// Every test boots a VM under what may be software emulation on two cores: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Real servers and a real coordinator, for all tests. Hosts come with the tests.</summary>
public sealed class FleetFixture : IAsyncLifetime
{
    private static readonly TimeSpan MigrationDeadline = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan CliDeadline = TimeSpan.FromMinutes(8);

    private Dictionary<string, string> environment = [];
    private BuiltProgram? coordinator;
    private GrpcChannel? channel;
    private PrivateServers? servers;

    public string Directory { get; } = Repository.CreateScratchDirectory("e2e");

    public PrivateServers Servers => servers!;

    public Contracts.Fleet.Fleet.FleetClient Client { get; private set; } = null!;

    private string Address { get; } = $"http://127.0.0.1:{FreePort.Tcp()}";

    public async ValueTask InitializeAsync()
    {
        servers = await PrivateServers.StartAsync();
        environment = new()
        {
            // The test servers commit without waiting for their log to be written, and would lose the last commits when killed.
            ["ConnectionStrings__Fleet"] = new NpgsqlConnectionStringBuilder(servers.PostgresConnectionString) { Options = "-c synchronous_commit=on" }.ConnectionString,
            ["Broker__Uri"] = servers.BrokerUri.ToString(),
            ["ASPNETCORE_URLS"] = Address,
            // On a busy machine an emulated guest takes a minute for a PostgreSQL's base backup, and the others' defaults are short for it as well.
            ["Upgrades__Deadlines__Preflight"] = "00:02:00",
            ["Upgrades__Deadlines__Boot"] = "00:02:00",
            ["Upgrades__Deadlines__Standby"] = "00:04:00",
            ["Upgrades__Deadlines__Transfer"] = "00:02:00",
            ["Upgrades__Deadlines__CutOver"] = "00:02:00",
            ["Upgrades__Deadlines__Probation"] = "00:02:00",
            // It holds also for commands that go out while a test ends and starts the broker, an agent or this coordinator.
            ["Upgrades__AcceptWithin"] = "00:02:00",
        };
        (int exitCode, string output, string error) = await BuiltProgram.RunAsync(
            "Migrations", "TwinKernel.Fleet.Migrations", environment, MigrationDeadline);
        exitCode.ShouldBe(0, output + error);
        coordinator = StartCoordinator();
        channel = GrpcChannel.ForAddress(Address);
        Client = new Contracts.Fleet.Fleet.FleetClient(channel);
        await Eventually.TrueAsync(TimeSpan.FromSeconds(60), "the coordinator answers", async () =>
        {
            await Client.ListHostsAsync(new ListHostsRequest());
            return true;
        });
    }

    /// <summary>Ends the coordinator with KILL, and starts it again.</summary>
    public async Task RestartCoordinatorAsync()
    {
        await coordinator!.KillAsync();
        coordinator = StartCoordinator();
    }

    private BuiltProgram StartCoordinator() => BuiltProgram.Start(
        "Coordinator", "TwinKernel.Fleet.Coordinator", Path.Combine(Directory, "coordinator.log"), environment);

    /// <summary>Runs <c>twinfleet</c> against the coordinator.</summary>
    public Task<(int ExitCode, string Output, string Error)> CliAsync(params IEnumerable<string> arguments) =>
        BuiltProgram.RunAsync(
            "Cli", "twinfleet", new Dictionary<string, string> { ["TWINFLEET_COORDINATOR"] = Address }, CliDeadline, arguments);

    public async ValueTask DisposeAsync()
    {
        channel?.Dispose();
        if (coordinator is not null)
        {
            await coordinator.DisposeAsync();
        }

        if (servers is not null)
        {
            await servers.DisposeAsync();
        }
    }
}
