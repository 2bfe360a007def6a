using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;

namespace TwinKernel.Fleet.Coordinator.Hosts;

internal static class HostServices
{
    /// <summary>Hosts, and what they report: guests and images.</summary>
    public static WebApplicationBuilder AddHosts(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<HostOptions>().BindConfiguration(HostOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<HostOptions>, HostOptionsValidator>();
        builder.Services.AddSingleton<RecordHeartbeat>();
        builder.Services.AddSingleton<ListHosts>();
        builder.Services.AddSingleton<ListGuests>();
        builder.Services.AddSingleton<HostQuestion>();
        builder.Services.AddSingleton<InspectGuest>();
        builder.Services.AddSingleton<ListImages>();
        builder.Services.AddSingleton<JudgeImage>();
        builder.Services.AddSingleton<QuarantineGuest>();
        return builder;
    }
}
