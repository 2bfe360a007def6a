using System.Globalization;
using Npgsql;

namespace TwinKernel.Fleet.FleetBench;

/// <summary>What a process has used.</summary>
/// <param name="Cpu">Of all its threads since it began.</param>
/// <param name="PeakBytes">The most memory that it had at once.</param>
/// <param name="CpuOfEnded">Of those of its children that have ended.</param>
/// <param name="Parent">Its number.</param>
internal sealed record ProcessLoad(TimeSpan Cpu, long PeakBytes, TimeSpan CpuOfEnded, int Parent)
{
    /// <summary>Of Linux, whatever the clock of the CPUs is.</summary>
    private const double TicksPerSecond = 100;

    /// <summary>Nothing when it is gone.</summary>
    public static ProcessLoad Of(int pid)
    {
        try
        {
            // What follows the name, which may hold anything, begins with field 3; 4 is its parent, 14 and 15 are its ticks, 16 and 17 its ended children's.
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            string peak = File.ReadLines($"/proc/{pid}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return new ProcessLoad(Time(11), long.Parse(peak.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10, Time(13), int.Parse(fields[1], CultureInfo.InvariantCulture));

            TimeSpan Time(int at) => TimeSpan.FromSeconds(
                (double.Parse(fields[at], CultureInfo.InvariantCulture) + double.Parse(fields[at + 1], CultureInfo.InvariantCulture)) / TicksPerSecond);
        }
        catch (IOException)
        {
            return new ProcessLoad(TimeSpan.Zero, 0, TimeSpan.Zero, 0);
        }
    }
}

/// <summary>What a database has done since it was made, by its own count, and all processes of its server.</summary>
internal sealed record DatabaseLoad(long Commits, long RowsWritten, long RowsRead, TimeSpan Cpu)
{
    public static DatabaseLoad operator -(DatabaseLoad now, DatabaseLoad before) =>
        new(now.Commits - before.Commits, now.RowsWritten - before.RowsWritten, now.RowsRead - before.RowsRead, now.Cpu - before.Cpu);

    public static async Task<DatabaseLoad> OfAsync(string database)
    {
        await using NpgsqlConnection connection = new(database);
        await connection.OpenAsync();
        await using NpgsqlCommand stat = new(
            "select xact_commit, tup_inserted + tup_updated + tup_deleted, tup_fetched from pg_stat_database where datname = current_database()", connection);
        await using NpgsqlDataReader row = await stat.ExecuteReaderAsync();
        await row.ReadAsync();
        (long commits, long written, long read) = (row.GetInt64(0), row.GetInt64(1), row.GetInt64(2));
        await row.DisposeAsync();
        await using NpgsqlCommand pids = new("select array_agg(pid) from pg_stat_activity", connection);
        TimeSpan cpu = ProcessLoad.Of(ProcessLoad.Of(connection.ProcessID).Parent).CpuOfEnded;
        cpu = ((int[])(await pids.ExecuteScalarAsync())!).Aggregate(cpu, (sum, pid) => sum + ProcessLoad.Of(pid).Cpu);
        return new DatabaseLoad(commits, written, read, cpu);
    }
}
