using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Control;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Schedules;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator;

internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        try
        {
            await using WebApplication coordinator = Build(args);
            await coordinator.Services.GetRequiredService<FleetSchema>().RequireAsync(CancellationToken.None);
            await coordinator.RunAsync();
            return ExitCode.Done;
        }
        catch (Exception e) when (e is FleetConfigurationException or OptionsValidationException)
        {
            await Console.Error.WriteLineAsync($"The configuration is wrong: {e.Message}");
            return ExitCode.Misconfigured;
        }
        catch (FleetSchemaException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return ExitCode.DatabaseNotReady;
        }
    }

    internal static WebApplication Build(string[] args)
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            Args = args,
            // Its settings lie beside it, wherever it is started from.
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.AddFleetData();
        builder.AddHosts();
        builder.AddUpgrades();
        builder.AddControl();
        builder.AddDelivery();
        builder.AddRollouts();
        builder.AddSchedules();
        builder.AddRequests();

        WebApplication coordinator = builder.Build();
        coordinator.MapGrpcService<FleetService>();
        return coordinator;
    }

    private static class ExitCode
    {
        public const int Done = 0;
        public const int Misconfigured = 2;
        public const int DatabaseNotReady = 3;
    }
}
