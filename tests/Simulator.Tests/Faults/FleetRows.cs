using Npgsql;

namespace TwinKernel.Fleet.Simulator.Tests.Faults;

internal sealed record UpgradeRow(Guid Id, string Name, string State, bool Ended);

internal sealed record StepRow(Guid Upgrade, string Step, string State);

/// <param name="Own">The service did it, by a rollout's rules.</param>
internal sealed record AuditRow(string Actor, string Act, string Subject, bool Own);

/// <summary>What the tables say of one rollout, and of everything that should be over when it is.</summary>
internal sealed record FleetRows
{
    public required string RolloutState { get; init; }
    public required int Waves { get; init; }
    public required IReadOnlyList<UpgradeRow> Upgrades { get; init; }
    public required IReadOnlyList<StepRow> Steps { get; init; }

    /// <summary>Of the rollout, and of everything else since it was made.</summary>
    public required IReadOnlyList<AuditRow> Audit { get; init; }

    /// <summary>Guests that the rollout has, with their states.</summary>
    public required IReadOnlyList<(string Name, string State)> Members { get; init; }

    /// <summary>Guests whose places are taken, by whomever.</summary>
    public required IReadOnlyList<string> Leases { get; init; }

    /// <summary>Commands that wait to be sent.</summary>
    public required IReadOnlyList<string> Unsent { get; init; }

    /// <summary>Messages in queues of what nobody could take in.</summary>
    public IReadOnlyList<string> DeadLetters { get; init; } = [];

    /// <param name="database">A connection string.</param>
    /// <param name="rollout">Its name.</param>
    /// <param name="auditBefore">The newest entry of the audit before the rollout was made.</param>
    public static async Task<FleetRows> ReadAsync(string database, string rollout, long auditBefore)
    {
        await using NpgsqlConnection connection = new(database);
        await connection.OpenAsync();
        (Guid id, string state, int waves) = (await ListAsync(connection, "select id, state, waves from rollouts where name = $1",
            row => (row.GetGuid(0), row.GetString(1), row.GetInt32(2)), rollout)).Single();
        return new FleetRows
        {
            RolloutState = state,
            Waves = waves,
            Upgrades = await ListAsync(connection, "select id, host_name || '/' || guest_name, state, finished_at is not null from upgrades where rollout_id = $1",
                row => new UpgradeRow(row.GetGuid(0), row.GetString(1), row.GetString(2), row.GetBoolean(3)), id),
            Steps = await ListAsync(connection, "select upgrade_id, step, step.state from upgrade_steps step join upgrades upgrade on upgrade.id = upgrade_id where rollout_id = $1",
                row => new StepRow(row.GetGuid(0), row.GetString(1), row.GetString(2)), id),
            Audit = await ListAsync(connection, "select actor, act, subject, actor = 'coordinator' from audit where id > $1 order by id",
                row => new AuditRow(row.GetString(0), row.GetString(1), row.GetString(2), row.GetBoolean(3)), auditBefore),
            Members = await ListAsync(connection, "select host_name || '/' || guest_name, state from rollout_members where rollout_id = $1",
                row => (row.GetString(0), row.GetString(1)), id),
            Leases = await ListAsync(connection, "select host_name || '/' || guest_name from admission_leases", row => row.GetString(0)),
            Unsent = await ListAsync(connection, "select queue || ' ' || (body ->> 'Step') from outbox where sent_at is null and expired_at is null", row => row.GetString(0)),
        };
    }

    public static async Task<IReadOnlyList<T>> ListAsync<T>(string database, string query, Func<NpgsqlDataReader, T> read, params object[] values)
    {
        await using NpgsqlConnection connection = new(database);
        await connection.OpenAsync();
        return await ListAsync(connection, query, read, values);
    }

    private static async Task<IReadOnlyList<T>> ListAsync<T>(NpgsqlConnection connection, string query, Func<NpgsqlDataReader, T> read, params object[] values)
    {
        await using NpgsqlCommand command = new(query, connection);
        foreach (object value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        List<T> all = [];
        await using NpgsqlDataReader rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            all.Add(read(rows));
        }

        return all;
    }
}
