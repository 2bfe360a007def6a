using Microsoft.Extensions.Options;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Heartbeats;
using TwinKernel.Fleet.HostAgent.Images;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Observation;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent;

/// <summary>
/// What the agent is made of. Hosted services start in the order of their registration and end in the reverse:
/// machines come up without a broker, and what was left unfinished goes on before the first new command arrives.
/// </summary>
internal static class Registration
{
    public static IServiceCollection AddConfiguration(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<AgentOptions>().Bind(configuration.GetSection(AgentOptions.Section)).ValidateOnStart();
        services.AddOptions<BrokerOptions>().Bind(configuration.GetSection(BrokerOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<AgentOptions>, AgentOptionsValidation>();
        services.AddSingleton<IValidateOptions<BrokerOptions>, BrokerOptionsValidation>();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(8));
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(provider => StateDirectory.Open(provider.GetRequiredService<IOptions<AgentOptions>>()));
        return services;
    }

    /// <summary>Every error of every section; asked before anything is started.</summary>
    public static IReadOnlyList<string> ConfigurationErrors(this IServiceProvider services)
    {
        try
        {
            services.GetRequiredService<IStartupValidator>().Validate();
            return [];
        }
        catch (OptionsValidationException e)
        {
            return [.. e.Failures];
        }
        catch (AggregateException e)
        {
            return [.. e.InnerExceptions.SelectMany(inner => inner is OptionsValidationException wrong ? wrong.Failures : [inner.Message])];
        }
    }

    public static IServiceCollection AddImages(this IServiceCollection services) =>
        services.AddSingleton(provider => new ImageStore(
            Path.GetFullPath(provider.GetRequiredService<IOptions<AgentOptions>>().Value.ImageDirectory),
            ImageKeys.Read(provider.GetRequiredService<IOptions<AgentOptions>>().Value.ImageKeys, []),
            provider.GetRequiredService<ILogger<ImageStore>>()));

    public static IServiceCollection AddMachines(this IServiceCollection services) => services
        .AddSingleton<HostMachines>()
        .AddHostedService(provider => provider.GetRequiredService<HostMachines>())
        .AddSingleton<Func<string, IGuestMachine?>>(provider => provider.GetRequiredService<HostMachines>().Find);

    public static IServiceCollection AddUpgrades(this IServiceCollection services) => services
        .AddSingleton(provider => new UpgradeJournal(
            provider.GetRequiredService<StateDirectory>().Upgrades,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<UpgradeJournal>>()))
        .AddSingleton(provider => new GuestEpochs(provider.GetRequiredService<StateDirectory>().EpochFile))
        .AddSingleton(provider => new ObservationLedger(
            provider.GetRequiredService<UpgradeJournal>(),
            provider.GetRequiredService<IOptions<AgentOptions>>().Value.ProbeInterval))
        .AddSingleton<ResultPublisher>()
        .AddHostedService(provider => provider.GetRequiredService<ResultPublisher>())
        .AddSingleton<UpgradeRunner>()
        .AddHostedService(provider => provider.GetRequiredService<UpgradeRunner>());

    public static IServiceCollection AddHeartbeats(this IServiceCollection services) => services
        .AddSingleton<GuestHealth>()
        .AddHostedService(provider => provider.GetRequiredService<GuestHealth>())
        .AddSingleton<HeartbeatPublisher>()
        .AddHostedService(provider => provider.GetRequiredService<HeartbeatPublisher>());
}
