using System.Globalization;
using Npgsql;

namespace TwinKernel.Fleet.Tests.Servers;

/// <summary>
/// A real PostgreSQL and a real RabbitMQ on loopback, for the tests of one assembly. They end with the
/// test process, however that goes: a watch started by the script looks after its pid.
/// </summary>
/// <remarks>
/// One start takes about four seconds (PostgreSQL alone: one), so share it: in the test project
/// <code>
/// [assembly: AssemblyFixture(typeof(ServersFixture))]
/// public sealed class ServersFixture : PrivateServers, IAsyncLifetime;
/// </code>
/// and take a database and a virtual host of your own per test class. Tests that kill a server start their own pair
/// with <see cref="StartAsync"/>, or they disturb those that run beside them.
/// </remarks>
public class PrivateServers : IAsyncDisposable
{
    private readonly string directory = Repository.Find("state", "tests", $"servers-{Guid.NewGuid():n}");
    private readonly ServersWanted wanted;
    private string? postgres;
    private Uri? broker;
    private int databases;
    private int virtualHosts;

    /// <summary>Both servers, not yet started.</summary>
    public PrivateServers()
        : this(ServersWanted.Both)
    {
    }

    /// <summary>Not yet started.</summary>
    /// <param name="wanted">Which servers <see cref="InitializeAsync"/> starts.</param>
    protected PrivateServers(ServersWanted wanted) => this.wanted = wanted;

    /// <summary>Npgsql connection string of the database <c>fleet</c>, empty at first.</summary>
    public string PostgresConnectionString =>
        postgres ?? throw new InvalidOperationException("PostgreSQL was not started.");

    /// <summary>AMQP URI with user and password, on the default virtual host.</summary>
    public Uri BrokerUri => broker ?? throw new InvalidOperationException("RabbitMQ was not started.");

    /// <summary>Starts servers of one's own.</summary>
    /// <exception cref="InvalidOperationException">They did not start; the message holds the end of their log.</exception>
    public static async Task<PrivateServers> StartAsync(ServersWanted wanted = ServersWanted.Both)
    {
        PrivateServers servers = new(wanted);
        await servers.InitializeAsync();
        return servers;
    }

    /// <summary>Starts the servers. Has the shape of xunit's <c>IAsyncLifetime</c>.</summary>
    /// <exception cref="InvalidOperationException">They did not start; the message holds the end of their log.</exception>
    public async ValueTask InitializeAsync()
    {
        string[] only = wanted switch
        {
            ServersWanted.Postgres => ["--only", "postgres"],
            ServersWanted.Broker => ["--only", "broker"],
            _ => [],
        };
        string parent = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        await ServersScript.RunAsync(["start", directory, "--throw-away", "--parent", parent, .. only]);
        foreach (string line in File.ReadLines(Path.Combine(directory, "servers.env")))
        {
            string[] setting = line.Split('=', 2);
            string value = setting[1].Trim('\'');
            switch (setting[0])
            {
                case "TWIN_POSTGRES": postgres = value; break;
                case "TWIN_BROKER": broker = new Uri(value); break;
            }
        }
    }

    /// <summary>Creates an empty database.</summary>
    /// <returns>Its connection string.</returns>
    public async Task<string> CreateDatabaseAsync()
    {
        string name = $"test_{Interlocked.Increment(ref databases)}";
        await using NpgsqlConnection connection = new(PostgresConnectionString);
        await connection.OpenAsync();
        await using NpgsqlCommand create = new($"create database {name}", connection);
        await create.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(PostgresConnectionString) { Database = name }.ConnectionString;
    }

    /// <summary>Creates an empty virtual host: no queue or exchange of another test is seen in it.</summary>
    /// <returns>The broker's URI with it.</returns>
    public async Task<Uri> CreateVirtualHostAsync()
    {
        string name = $"test-{Interlocked.Increment(ref virtualHosts)}";
        await ServersScript.RunAsync("vhost", directory, name);
        return new Uri(BrokerUri, $"/{name}");
    }

    /// <summary>Ends RabbitMQ with KILL and returns when it is gone. What was durable is still there after a start.</summary>
    public Task KillBrokerAsync() => ServersScript.RunAsync("kill", directory, "broker");

    /// <summary>Ends PostgreSQL with KILL and returns when it is gone. What was committed is still there after a start.</summary>
    public Task KillPostgresAsync() => ServersScript.RunAsync("kill", directory, "postgres");

    /// <summary>Starts RabbitMQ again on the same port and returns when it takes connections.</summary>
    public Task StartBrokerAsync() => ServersScript.RunAsync("start", directory, "--only", "broker");

    /// <summary>Starts PostgreSQL again on the same port and returns when it takes connections.</summary>
    public Task StartPostgresAsync() => ServersScript.RunAsync("start", directory, "--only", "postgres");

    /// <summary>Kills RabbitMQ and starts it again on the same port.</summary>
    public async Task RestartBrokerAsync()
    {
        await KillBrokerAsync();
        await StartBrokerAsync();
    }

    /// <summary>Ends the servers and deletes their data.</summary>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await ServersScript.RunAsync("remove", directory);
    }
}
