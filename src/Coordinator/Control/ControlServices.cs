using TwinKernel.Fleet.Coordinator.Audit;

namespace TwinKernel.Fleet.Coordinator.Control;

internal static class ControlServices
{
    /// <summary>What concerns the fleet as a whole, and who did what.</summary>
    public static WebApplicationBuilder AddControl(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<StopFleet>();
        builder.Services.AddSingleton<SetFleetPolicy>();
        builder.Services.AddSingleton<ListAudit>();
        return builder;
    }
}
