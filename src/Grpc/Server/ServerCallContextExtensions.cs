using Grpc.AspNetCore.Server.Calls;
using Microsoft.AspNetCore.Http;

namespace Grpc.Core;

/// <summary>From a gRPC call to its HTTP request.</summary>
public static class ServerCallContextExtensions
{
    /// <summary>The HTTP request that carries the call.</summary>
    /// <exception cref="InvalidOperationException">The context is not one of an ASP.NET Core server.</exception>
    public static HttpContext GetHttpContext(this ServerCallContext serverCallContext) =>
        serverCallContext is HttpServerCall call
            ? call.HttpContext
            : throw new InvalidOperationException("Could not get HttpContext from ServerCallContext. HttpContext can only be accessed when gRPC services are hosted by ASP.NET Core.");
}
