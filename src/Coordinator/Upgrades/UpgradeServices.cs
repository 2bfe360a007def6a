using Microsoft.Extensions.Options;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

internal static class UpgradeServices
{
    public static WebApplicationBuilder AddUpgrades(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<UpgradeOptions>().BindConfiguration(UpgradeOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<UpgradeOptions>, UpgradeOptionsValidator>();
        builder.Services.AddSingleton<StartUpgrade>();
        builder.Services.AddSingleton<ReadUpgrades>();
        return builder;
    }
}
