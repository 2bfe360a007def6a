using Npgsql;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.Probe.Tests;

/// <summary>A real PostgreSQL, in which the role "app" needs no password, as the probe has none.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private PrivateServers _servers = null!;
    private NpgsqlConnection _admin = null!;

    /// <summary>What follows on <c>postgres://</c>.</summary>
    public string Address { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        _servers = await PrivateServers.StartAsync(ServersWanted.Postgres);
        NpgsqlConnectionStringBuilder server = new(_servers.PostgresConnectionString) { Pooling = false };
        Address = $"app@127.0.0.1:{server.Port}/{server.Database}";
        _admin = new NpgsqlConnection(server.ConnectionString);
        await _admin.OpenAsync();
        string rules = (string)Ask("SHOW hba_file")!;
        Ask($"COPY (VALUES ('host all app 127.0.0.1/32 trust'), ('host all all 127.0.0.1/32 scram-sha-256')) TO '{rules}'");
        Ask("CREATE ROLE app LOGIN");
        Ask("ALTER ROLE app SET synchronous_commit = on");
        Ask("CREATE SCHEMA AUTHORIZATION app");
        Ask("SELECT pg_reload_conf()");
    }

    public async ValueTask DisposeAsync()
    {
        await _admin.DisposeAsync();
        await _servers.DisposeAsync();
    }

    /// <returns>Of the first row the first value.</returns>
    public object? Ask(string statement)
    {
        using NpgsqlCommand command = new(statement, _admin);
        return command.ExecuteScalar();
    }
}
