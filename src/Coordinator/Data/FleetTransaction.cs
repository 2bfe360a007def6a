using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace TwinKernel.Fleet.Coordinator.Data;

/// <summary>
/// Runs a piece of work on a context of its own, and again from the start when the database says that another writer was
/// first or that the connection broke. The work must not keep anything from a run before.
/// </summary>
public sealed partial class FleetTransaction(
    IDbContextFactory<FleetDbContext> contexts, TimeProvider time, ILogger<FleetTransaction> logger)
{
    private const int Attempts = 6;

    /// <summary>Runs, saves and commits in one transaction.</summary>
    /// <exception cref="DbUpdateException">Attempts are used up, or the database refuses for another reason.</exception>
    /// <exception cref="NpgsqlException">The database cannot be reached.</exception>
    public Task<T> RunAsync<T>(Func<FleetDbContext, CancellationToken, Task<T>> work, CancellationToken cancellation) =>
        RepeatAsync(async (db, stop) =>
        {
            await using IDbContextTransaction transaction = await db.Database.BeginTransactionAsync(stop);
            T result = await work(db, stop);
            await db.SaveChangesAsync(stop);
            await transaction.CommitAsync(stop);
            return result;
        }, cancellation);

    /// <summary>Only reads; each query sees what is committed when it runs.</summary>
    /// <exception cref="NpgsqlException">The database cannot be reached.</exception>
    public Task<T> ReadAsync<T>(Func<FleetDbContext, CancellationToken, Task<T>> work, CancellationToken cancellation) =>
        RepeatAsync(work, cancellation);

    private async Task<T> RepeatAsync<T>(
        Func<FleetDbContext, CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await using FleetDbContext db = await contexts.CreateDbContextAsync(cancellation);
                return await work(db, cancellation);
            }
            catch (Exception e) when (attempt < Attempts && IsWorthRepeating(e))
            {
                Log.Repeating(logger, attempt, Cause(e));
                await Task.Delay(
                    TimeSpan.FromMilliseconds(Random.Shared.Next(5, 20) << attempt), time, cancellation);
            }
        }
    }

    /// <summary>
    /// The next run may fare better: another writer was first (its row is seen the next time), or the server or the way
    /// to it had a passing trouble.
    /// </summary>
    public static bool IsWorthRepeating(Exception e) => e switch
    {
        DbUpdateConcurrencyException => true,
        PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } => true,
        // A later schema came while this connection had the statement prepared; Npgsql prepares it anew.
        PostgresException { SqlState: PostgresErrorCodes.FeatureNotSupported, Routine: "RevalidateCachedQuery" } => true,
        NpgsqlException database => database.IsTransient,
        _ => e.InnerException is { } inner && IsWorthRepeating(inner),
    };

    /// <summary>The database could not do its part, whatever was asked of it: away, starting, overloaded, or contended.</summary>
    public static bool IsDatabaseTrouble(Exception e) => e switch
    {
        _ when IsWorthRepeating(e) => true,
        NpgsqlException and not PostgresException => true,
        SocketException or TimeoutException => true,
        _ => e.InnerException is { } inner && IsDatabaseTrouble(inner),
    };

    private static string Cause(Exception e) => e.GetBaseException() switch
    {
        PostgresException { ConstraintName: { } constraint } database => $"{database.SqlState} {constraint}",
        PostgresException database => database.SqlState,
        Exception other => other.GetType().Name,
    };

    private static partial class Log
    {
        [LoggerMessage(5001, LogLevel.Debug, "Attempt {Attempt} at a transaction gave way ({Cause}); once more")]
        public static partial void Repeating(ILogger logger, int attempt, string cause);
    }
}
