using System.Net;
using Npgsql;

namespace TwinKernel.Fleet.Probe.Writes;

/// <summary>A row for each write, in a table of the run's.</summary>
internal sealed class PostgresStore : IWriteStore
{
    private readonly NpgsqlConnection _connection;
    private readonly string _table;

    public PostgresStore(ServiceAddress address, IPEndPoint service, TimeSpan timeout, WriteLog log)
    {
        _table = $"\"{log.KeyPrefix}\"";
        int seconds = (int)timeout.TotalSeconds;
        _connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = service.Address.ToString(),
            Port = service.Port,
            Username = address.User,
            Database = address.Database,
            Pooling = false,
            Timeout = seconds,
            CommandTimeout = seconds,
            SslMode = SslMode.Disable,
            GssEncryptionMode = GssEncryptionMode.Disable,
        }.ConnectionString);
        Ask(() => _connection.Open());
    }

    public void Prepare() => Execute($"CREATE TABLE {_table} (key bigint PRIMARY KEY, value bigint)");

    public IReadOnlyList<string?> Read(IReadOnlyList<long> numbers)
    {
        Dictionary<long, string?> found = [];
        Ask(() =>
        {
            using NpgsqlCommand command = new($"SELECT key, value::text FROM {_table} WHERE key = ANY(@keys)", _connection) { Parameters = { new("keys", numbers.ToArray()) } };
            using NpgsqlDataReader reader = command.ExecuteReader();
            while (reader.Read())
            {
                found[reader.GetInt64(0)] = reader.IsDBNull(1) ? null : reader.GetString(1);
            }
        });
        return [.. numbers.Select(number => found.GetValueOrDefault(number))];
    }

    public void Remove(long next) => Execute($"DROP TABLE IF EXISTS {_table}");

    public void Dispose() => _connection.Dispose();

    private void Execute(string statement) => Ask(() =>
    {
        using NpgsqlCommand command = new(statement, _connection);
        command.ExecuteNonQuery();
    });

    private static void Ask(Action action)
    {
        try
        {
            action();
        }
        catch (PostgresException error)
        {
            throw new InvalidDataException(error.MessageText, error);
        }
        catch (NpgsqlException error)
        {
            throw new IOException(error.Message, error);
        }
    }
}
