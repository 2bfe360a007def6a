using System.Diagnostics.CodeAnalysis;
using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.Server.Calls;

/// <summary>The endpoints of all services, and of those that are not there.</summary>
internal sealed class MappedServices(IOptions<GrpcServiceOptions> options, ILoggerFactory loggers)
{
    private readonly HashSet<string> names = [];
    private bool unknownMapped;

    public IReadOnlyList<IEndpointConventionBuilder> Map<[DynamicallyAccessedMembers(ServiceActivation.ServiceMembers)] TService>(IEndpointRouteBuilder builder)
        where TService : class
    {
        List<IEndpointConventionBuilder> endpoints = [];
        var logger = loggers.CreateLogger<TService>();
        var bind = ServiceActivation.FindBindService<TService>();
        bind(new EndpointBinder<TService>(bind, options.Value, logger, (method, handle) =>
        {
            names.Add(method.ServiceName);
            endpoints.Add(builder.MapMethods(method.FullName, [HttpMethods.Post], handle).WithDisplayName($"gRPC - {method.FullName}"));
        }), null);

        if (!unknownMapped && options.Value.IgnoreUnknownServices != true)
        {
            unknownMapped = true;
            var pattern = RoutePatternFactory.Parse("{grpcService}/{grpcMethod}", defaults: null, parameterPolicies: new RouteValueDictionary { ["grpcMethod"] = new GrpcRequest() });
            builder.Map(pattern, Unimplemented).WithDisplayName("gRPC - unimplemented").Add(endpoint => ((RouteEndpointBuilder)endpoint).Order = int.MaxValue);
        }

        return endpoints;
    }

    private Task Unimplemented(HttpContext http)
    {
        var known = names.Contains((string?)http.Request.RouteValues["grpcService"] ?? "");
        http.Response.ContentType = ProtocolHeaders.ContentType;
        http.Response.Headers[ProtocolHeaders.Status] = ((int)StatusCode.Unimplemented).ToString(System.Globalization.CultureInfo.InvariantCulture);
        http.Response.Headers[ProtocolHeaders.Message] = known ? "Method is unimplemented." : "Service is unimplemented.";
        return Task.CompletedTask;
    }

    private sealed class GrpcRequest : IRouteConstraint
    {
        public bool Match(HttpContext? httpContext, IRouter? route, string routeKey, RouteValueDictionary values, RouteDirection routeDirection) =>
            httpContext is not null && HttpMethods.IsPost(httpContext.Request.Method) && ProtocolHeaders.IsGrpcContentType(httpContext.Request.ContentType);
    }
}
