using Npgsql;

namespace TwinKernel.Fleet.Coordinator.Data;

/// <summary>The database is not what this coordinator needs; the message says what to do.</summary>
public sealed class FleetSchemaException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Refuses to work on a database whose migrations are behind. Migrations are never applied from here.</summary>
public sealed partial class FleetSchema(NpgsqlDataSource database, TimeProvider time, ILogger<FleetSchema> logger)
{
    /// <summary>The newest migration that this code knows. A database that has later ones as well is accepted.</summary>
    public const string Required = "20261121144500_UpgradeGates";

    /// <summary>The table in which applied migrations are kept.</summary>
    public const string HistoryTable = "schema_history";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <exception cref="FleetSchemaException">The database is out of reach for 30 s, or its schema is behind.</exception>
    public async Task RequireAsync(CancellationToken cancellation)
    {
        long started = time.GetTimestamp();
        while (true)
        {
            try
            {
                await CheckAsync(cancellation);
                return;
            }
            catch (NpgsqlException e) when (e is not PostgresException || e.IsTransient)
            {
                if (time.GetElapsedTime(started) > Patience)
                {
                    throw new FleetSchemaException(
                        $"The database of ConnectionStrings:Fleet was not reachable for {Patience.TotalSeconds:0} s: {e.Message}", e);
                }

                Log.Waiting(logger, e.Message);
                await Task.Delay(Pause, time, cancellation);
            }
            catch (PostgresException e)
            {
                throw new FleetSchemaException($"The database of ConnectionStrings:Fleet refuses: {e.MessageText}", e);
            }
        }
    }

    private async Task CheckAsync(CancellationToken cancellation)
    {
        const string WhatToDo = "Apply the migrations first: dotnet run --project migrations (with the same ConnectionStrings__Fleet).";
        await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellation);
        await using NpgsqlCommand exists = new($"select to_regclass('{HistoryTable}') is not null", connection);
        if (!(bool)(await exists.ExecuteScalarAsync(cancellation))!)
        {
            throw new FleetSchemaException($"The database is empty; this coordinator needs schema {Required}. {WhatToDo}");
        }

        await using NpgsqlCommand newest = new(
            $"""
             select coalesce(max("MigrationId"), 'nothing'), coalesce(bool_or("MigrationId" = $1), false)
             from {HistoryTable}
             """, connection)
        {
            Parameters = { new() { Value = Required } },
        };
        await using NpgsqlDataReader row = await newest.ExecuteReaderAsync(cancellation);
        await row.ReadAsync(cancellation);
        if (!row.GetBoolean(1))
        {
            throw new FleetSchemaException(
                $"The database has schema {row.GetString(0)}; this coordinator needs {Required}. {WhatToDo}");
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5002, LogLevel.Warning, "The database is not reachable yet: {Reason}")]
        public static partial void Waiting(ILogger logger, string reason);
    }
}
