using Npgsql;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Of the image's PostgreSQL: a row each, a transaction each.</summary>
/// <inheritdoc cref="RedisWriter(int, bool)" path="/param"/>
internal sealed class PostgresWriter(int port, bool reads = false) : ServiceWriter(late => Connection.OpenAsync(port, late), TimeSpan.FromSeconds(3), TimeSpan.FromMilliseconds(20), reads)
{
    /// <summary>The server ends connections: it, or the kernel that it is in, goes.</summary>
    private const string OperatorIntervention = "57";

    private sealed class Connection : IWriterConnection
    {
        private readonly NpgsqlConnection _connection;
        private string? _warning;

        private Connection(NpgsqlConnection connection)
        {
            _connection = connection;
            connection.Notice += (_, notice) => _warning = notice.Notice.MessageText;
        }

        public static async Task<IWriterConnection> OpenAsync(int port, CancellationToken late)
        {
            NpgsqlConnectionStringBuilder settings = new()
            {
                Host = "127.0.0.1",
                Port = port,
                Username = "app",
                Database = "app",
                Pooling = false,
                SslMode = SslMode.Disable,
                GssEncryptionMode = GssEncryptionMode.Disable,
                CancellationTimeout = -1, // Its answer is not waited for.
            };
            NpgsqlConnection connection = new(settings.ConnectionString);
            try
            {
                await connection.OpenAsync(late);
                return new Connection(connection);
            }
            catch
            {
                await connection.DisposeAsync();
                throw;
            }
        }

        public async Task<string> ServerAsync(CancellationToken late)
        {
            if (await AskAsync("select to_regclass('writes') is null", late) is true)
            {
                await AskAsync("create table writes (key bigint primary key)", late);
            }

            return (string)(await AskAsync("select pg_postmaster_start_time()::text", late))!;
        }

        public async Task<string?> WriteAsync(long key, CancellationToken late)
        {
            try
            {
                await AskAsync($"insert into writes values ({key})", late);
                // Npgsql cancels what it gives up, and a commit that waits answers a cancellation as if it were done, with a warning: nothing is claimed of it.
                return _warning is null ? null : throw new IOException(_warning);
            }
            catch (PostgresException error) when (!error.SqlState.StartsWith(OperatorIntervention, StringComparison.Ordinal))
            {
                return error.Message;
            }
        }

        public async Task<string?> ReadAsync(CancellationToken late) => await AskAsync("select count(*) from writes where key = 0", late) is long ? null : "no number";

        public async Task<IReadOnlyList<long>> MissingAsync(long[] keys)
        {
            await using NpgsqlCommand command = new("select coalesce(array_agg(key), '{}') from unnest(@keys) key where not exists (select from writes where writes.key = key.key)", _connection)
            {
                Parameters = { new("keys", keys) },
            };
            return (long[])(await command.ExecuteScalarAsync())!;
        }

        public void Dispose() => _connection.Dispose();

        private async Task<object?> AskAsync(string statement, CancellationToken late)
        {
            await using NpgsqlCommand command = new(statement, _connection);
            return await command.ExecuteScalarAsync(late);
        }
    }
}
