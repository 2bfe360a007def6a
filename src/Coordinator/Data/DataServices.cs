using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace TwinKernel.Fleet.Coordinator.Data;

internal static class DataServices
{
    /// <summary>
    /// A coordinator that the network has cut off in the middle of a transaction holds its locks no longer than that: PostgreSQL ends it, and
    /// the others go on. More than any transaction waits for anything but the database.
    /// </summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(30);

    /// <summary>More statements than there are that come often: the server reads and plans each of them once per connection.</summary>
    private const int Prepared = 200;

    public static WebApplicationBuilder AddFleetData(this WebApplicationBuilder builder)
    {
        string connection = ConnectionString(builder.Configuration);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(services =>
        {
            NpgsqlDataSourceBuilder source = new(connection);
            source.UseLoggerFactory(services.GetRequiredService<ILoggerFactory>());
            return source.Build();
        });
        builder.Services.AddPooledDbContextFactory<FleetDbContext>((services, options) =>
            options.UseFleet(services.GetRequiredService<NpgsqlDataSource>()));
        builder.Services.AddSingleton<FleetTransaction>();
        builder.Services.AddSingleton<FleetSchema>();
        return builder;
    }

    /// <exception cref="FleetConfigurationException">It is missing or cannot be read; its value is not repeated.</exception>
    public static string ConnectionString(IConfiguration configuration)
    {
        string? value = configuration.GetConnectionString("Fleet");
        if (string.IsNullOrWhiteSpace(value))
        {
            throw new FleetConfigurationException(
                "ConnectionStrings:Fleet is not set. Set the environment variable ConnectionStrings__Fleet to Host=...;Port=...;Username=...;Database=...");
        }

        try
        {
            NpgsqlConnectionStringBuilder parsed = new(value);
            parsed.Options = $"-c idle_in_transaction_session_timeout={LongestSilence.TotalMilliseconds:0} {parsed.Options}".TrimEnd();
            parsed.MaxAutoPrepare = Prepared;
            return string.IsNullOrEmpty(parsed.Host)
                ? throw new FleetConfigurationException("ConnectionStrings:Fleet names no Host.")
                : parsed.ConnectionString;
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            throw new FleetConfigurationException("ConnectionStrings:Fleet is not a PostgreSQL connection string (Host=...;Port=...;Username=...;Database=...).");
        }
    }
}

/// <summary>A setting is missing or wrong; the message names it and never its value when that may be a secret.</summary>
public sealed class FleetConfigurationException(string message) : Exception(message);

/// <summary>How a context of the fleet is set up, for services, migrations and tests alike.</summary>
public static class FleetDbContextOptions
{
    public const string MigrationsAssembly = "TwinKernel.Fleet.Migrations";

    public static DbContextOptionsBuilder UseFleet(this DbContextOptionsBuilder options, NpgsqlDataSource source) =>
        options
            .UseNpgsql(source, npgsql => npgsql
                .MigrationsAssembly(MigrationsAssembly)
                .MigrationsHistoryTable(FleetSchema.HistoryTable));
}
