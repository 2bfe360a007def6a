using System.Diagnostics.CodeAnalysis;
using Grpc.AspNetCore.Server.Calls;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps gRPC services to endpoints.</summary>
public static class GrpcEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps every method of a service. The service derives from a stub's base class; an instance serves one call and
    /// comes from the call's scope: registered there, or made with arguments from there and disposed after the call.
    /// </summary>
    /// <exception cref="InvalidOperationException">AddGrpc has not been called, or the type derives from no stub's
    /// base class.</exception>
    public static GrpcServiceEndpointConventionBuilder MapGrpcService<[DynamicallyAccessedMembers(ServiceActivation.ServiceMembers)] TService>(this IEndpointRouteBuilder builder)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        var mapped = builder.ServiceProvider.GetService<MappedServices>()
            ?? throw new InvalidOperationException("Unable to find the required services. Please add all the required services by calling 'IServiceCollection.AddGrpc' inside the call to 'ConfigureServices(...)' in the application startup code.");
        return new GrpcServiceEndpointConventionBuilder(mapped.Map<TService>(builder));
    }
}
