using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace TwinKernel.Fleet.Coordinator.Data;

/// <summary>
/// Runs a piece of work in one transaction with a context of its own, and again from the start when the database says
/// that another writer was first or that the connection broke. The work must not keep anything from a run before.
/// </summary>
public sealed partial class FleetTransaction(
    IDbContextFactory<FleetDbContext> contexts, TimeProvider time, ILogger<FleetTransaction> logger)
{
    private const int Attempts = 6;

    /// <exception cref="DbUpdateException">Attempts are used up, or the database refuses for another reason.</exception>
    /// <exception cref="NpgsqlException">The database cannot be reached.</exception>
    public async Task<T> RunAsync<T>(
        Func<FleetDbContext, CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                FleetDbContext db = await contexts.CreateDbContextAsync(cancellation);
                await using (db)
                {
                    IDbContextTransaction transaction = await db.Database.BeginTransactionAsync(cancellation);
                    await using (transaction)
                    {
                        T result = await work(db, cancellation);
                        await db.SaveChangesAsync(cancellation);
                        await transaction.CommitAsync(cancellation);
                        return result;
                    }
                }
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
        NpgsqlException database => database.IsTransient,
        _ => e.InnerException is { } inner && IsWorthRepeating(inner),
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
