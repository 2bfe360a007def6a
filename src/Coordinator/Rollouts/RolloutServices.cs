using Microsoft.Extensions.Options;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

internal static class RolloutServices
{
    public static WebApplicationBuilder AddRollouts(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<RolloutOptions>().BindConfiguration(RolloutOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<RolloutOptions>, RolloutOptionsValidator>();
        builder.Services.AddSingleton<PlanRollout>();
        builder.Services.AddSingleton<CreateRollout>();
        builder.Services.AddSingleton<ControlRollout>();
        builder.Services.AddSingleton<ReadRollouts>();
        builder.Services.AddHttpClient(GateQuestion.Client);
        builder.Services.AddSingleton<GateQuestion>();
        builder.Services.AddSingleton<IGateSource, WaveGates>();
        builder.Services.AddSingleton<IGateSource, UpgradeGates>();
        builder.Services.AddHostedService<RolloutDriver>();
        builder.Services.AddHostedService<GateRunner>();
        return builder;
    }
}
