using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations;

/// <summary>The program: brings a database to the schema that the services need.</summary>
public static class MigrateCommand
{
    /// <summary>The database is up to date.</summary>
    public const int Done = 0;

    /// <summary>The arguments or the configuration are wrong.</summary>
    public const int Misconfigured = 2;

    /// <summary>The database is out of reach or refused.</summary>
    public const int DatabaseFailed = 3;

    private const string Variable = "ConnectionStrings__Fleet";

    private const string Help =
        $"""
         Applies the pending migrations of TwinKernel.Fleet to a PostgreSQL database. Running it again changes nothing.

           dotnet run --project migrations             apply what is pending
           dotnet run --project migrations -- --list   show what is applied and what is pending; changes nothing
           dotnet run --project migrations -- --help   this text

         The environment variable {Variable} names the database: Host=...;Port=...;Username=...;Password=...;Database=...

         Exit codes: 0 done, 2 wrong arguments or configuration, 3 the database is out of reach or refuses.
         """;

    /// <param name="args">Nothing, <c>--list</c> or <c>--help</c>.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <param name="output">Progress.</param>
    /// <param name="error">Errors.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, Func<string, string?> environment, TextWriter output, TextWriter error,
        CancellationToken cancellation)
    {
        string[] unknown = [.. args.Where(arg => arg is not ("--list" or "--help" or "-h"))];
        if (unknown.Length > 0)
        {
            await error.WriteLineAsync($"Unknown arguments: {string.Join(" ", unknown)}. See --help.");
            return Misconfigured;
        }

        if (args.Contains("--help") || args.Contains("-h"))
        {
            await output.WriteLineAsync(Help);
            return Done;
        }

        if (environment(Variable) is not { Length: > 0 } connection)
        {
            await error.WriteLineAsync($"{Variable} is not set. See --help.");
            return Misconfigured;
        }

        NpgsqlDataSource source;
        try
        {
            source = NpgsqlDataSource.Create(connection);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            // Not its text: it may hold a password.
            await error.WriteLineAsync($"{Variable} is not a PostgreSQL connection string. See --help.");
            return Misconfigured;
        }

        await using (source)
        {
            return await OnDatabaseAsync(source, listOnly: args.Contains("--list"), output, error, cancellation);
        }
    }

    private static async Task<int> OnDatabaseAsync(
        NpgsqlDataSource source, bool listOnly, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        NpgsqlConnectionStringBuilder address = new(source.ConnectionString);
        try
        {
            await using FleetDbContext db = FleetDbContextFactory.Create(source, migration => output.WriteLine($"Applying {migration}"));
            // Asked first: EF takes a server that cannot be reached for a database that does not exist yet.
            await using (await source.OpenConnectionAsync(cancellation))
            {
            }

            if (listOnly)
            {
                await ListAsync(db, output, cancellation);
            }
            else
            {
                // EF locks each migration, not the run: a second run would repeat what the first has just applied.
                await using NpgsqlConnection holder = await source.OpenConnectionAsync(cancellation);
                await using NpgsqlCommand alone = new("select pg_advisory_lock(hashtext('twinfleet.migrations'))", holder) { CommandTimeout = 0 };
                await alone.ExecuteNonQueryAsync(cancellation);
                await ApplyAsync(db, output, cancellation);
            }

            return Done;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            await error.WriteLineAsync(
                $"Database {address.Database} does not exist on {address.Host}:{address.Port}; create it first: createdb {address.Database}");
            return DatabaseFailed;
        }
        catch (PostgresException e)
        {
            await error.WriteLineAsync($"PostgreSQL on {address.Host}:{address.Port} refuses: {e.MessageText} ({e.SqlState})");
            return DatabaseFailed;
        }
        catch (DbException e)
        {
            await error.WriteLineAsync(
                $"PostgreSQL on {address.Host}:{address.Port} is not reachable: {e.GetBaseException().Message}. See that it runs and that {Variable} names it.");
            return DatabaseFailed;
        }
    }

    private static async Task ListAsync(FleetDbContext db, TextWriter output, CancellationToken cancellation)
    {
        HashSet<string> applied = [.. await db.Database.GetAppliedMigrationsAsync(cancellation)];
        foreach (string migration in db.Database.GetMigrations())
        {
            await output.WriteLineAsync($"{(applied.Contains(migration) ? "applied" : "pending")}  {migration}");
        }
    }

    private static async Task ApplyAsync(FleetDbContext db, TextWriter output, CancellationToken cancellation)
    {
        string[] pending = [.. await db.Database.GetPendingMigrationsAsync(cancellation)];
        if (pending.Length == 0)
        {
            await output.WriteLineAsync($"Up to date: {db.Database.GetMigrations().Last()}");
            return;
        }

        // Never one by one with a target: where another run was first, a target behind it would take migrations back.
        await db.Database.MigrateAsync(cancellation);
        await output.WriteLineAsync($"Done, now {pending[^1]}");
    }
}
