using System.Globalization;
using Npgsql;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// A superuser's session of a PostgreSQL of this guest, over its socket. What it commits waits for no other server, and none of its statements is logged:
/// one sets a password. Every wait has a deadline; every member throws <see cref="IOException"/>.
/// </summary>
internal sealed class PostgresSession : IDisposable
{
    private readonly NpgsqlDataSource _source;
    private readonly NpgsqlConnection _connection;

    /// <param name="service">For messages.</param>
    /// <param name="directory">Where the socket lies.</param>
    /// <param name="port">That is in the socket's name.</param>
    /// <param name="patience">For the connection, and for each answer; whole seconds.</param>
    /// <param name="database">That it is a session of.</param>
    public PostgresSession(string service, string directory, int port, TimeSpan patience, string database = "postgres")
    {
        Service = service;
        NpgsqlConnectionStringBuilder settings = new()
        {
            Host = directory,
            Port = port,
            Username = "postgres",
            Database = database,
            Pooling = false,
            Enlist = false,
            Timeout = (int)patience.TotalSeconds,
            CommandTimeout = (int)patience.TotalSeconds,
            CancellationTimeout = -1,
            SslMode = SslMode.Disable,
            GssEncryptionMode = GssEncryptionMode.Disable,
            ApplicationName = "twinkernel-agent",
            Options = "-c synchronous_commit=local -c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic",
        };
        NpgsqlSlimDataSourceBuilder builder = new(settings.ConnectionString);
        builder.ConfigureTypeLoading(types => types.EnableTypeLoading(false));
        _source = builder.Build();
        _connection = _source.CreateConnection();
        try
        {
            Ask(_connection.Open);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Service { get; }

    /// <param name="statement">With no text in it that came from elsewhere.</param>
    public void Do(string statement) => Ask(() =>
    {
        using NpgsqlCommand command = new(statement, _connection);
        command.ExecuteNonQuery();
    });

    /// <returns>The first row; empty: there is none. A column is null, a bool, a long or a string.</returns>
    /// <inheritdoc cref="Do" path="/param"/>
    public IReadOnlyList<object?> Row(string query) => Ask<IReadOnlyList<object?>>(() =>
    {
        using NpgsqlCommand command = new(query, _connection);
        using NpgsqlDataReader reader = command.ExecuteReader();
        return reader.Read() ? [.. Enumerable.Range(0, reader.FieldCount).Select(column => reader.IsDBNull(column) ? null : Value(reader, column))] : [];
    });

    public void Dispose()
    {
        _connection.Dispose();
        _source.Dispose();
    }

    private static object Value(NpgsqlDataReader reader, int column) => reader.GetDataTypeName(column) switch
    {
        "boolean" => reader.GetBoolean(column),
        "bigint" => reader.GetInt64(column),
        "text" => reader.GetString(column),
        var other => throw new IOException(string.Create(CultureInfo.InvariantCulture, $"column {column} is a {other}; the queries here cast to boolean, bigint or text")),
    };

    private void Ask(Action action) => Ask(() =>
    {
        action();
        return 0;
    });

    private T Ask<T>(Func<T> function)
    {
        try
        {
            return function();
        }
        catch (PostgresException error)
        {
            throw new IOException($"{Service} refuses: {error.MessageText}", error);
        }
        catch (Exception error) when (error is NpgsqlException or TimeoutException or InvalidOperationException)
        {
            throw new IOException($"{Service} does not answer: {error.Message}", error);
        }
    }
}
