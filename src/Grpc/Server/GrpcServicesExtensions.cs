using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Calls;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds gRPC to an application.</summary>
public static class GrpcServicesExtensions
{
    /// <summary>Adds what <c>MapGrpcService</c> needs.</summary>
    public static IGrpcServerBuilder AddGrpc(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddRoutingCore();
        services.AddOptions();
        services.AddLogging();
        services.TryAddSingleton<MappedServices>();
        return new GrpcServerBuilder(services);
    }

    /// <summary>As above, with options.</summary>
    public static IGrpcServerBuilder AddGrpc(this IServiceCollection services, Action<GrpcServiceOptions> configureOptions)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.Configure(configureOptions);
        return services.AddGrpc();
    }

    private sealed class GrpcServerBuilder(IServiceCollection services) : IGrpcServerBuilder
    {
        public IServiceCollection Services { get; } = services;
    }
}
