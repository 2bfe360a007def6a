using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations;

/// <summary>For <c>dotnet ef migrations add</c>, which compares models and needs no server.</summary>
public sealed class FleetDbContextFactory : IDesignTimeDbContextFactory<FleetDbContext>
{
    public FleetDbContext CreateDbContext(string[] args) =>
        Create(NpgsqlDataSource.Create("Host=127.0.0.1;Database=fleet;Username=fleet"));

    /// <param name="source">The database.</param>
    /// <param name="applying">Told the name of each migration before it is applied.</param>
    public static FleetDbContext Create(NpgsqlDataSource source, Action<string>? applying = null)
    {
        DbContextOptionsBuilder<FleetDbContext> options = new();
        options.UseFleet(source);
        options.LogTo(
            (id, _) => id == RelationalEventId.MigrationApplying,
            data => applying?.Invoke(
                ((MigrationEventData)data).Migration.GetType().GetCustomAttribute<MigrationAttribute>()!.Id));
        return new FleetDbContext(options.Options);
    }
}
