using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace TwinKernel.Fleet.Coordinator.Requests;

internal static class RequestServices
{
    /// <summary>Where the coordinator listens when <c>ASPNETCORE_URLS</c> does not say.</summary>
    public const string DefaultUrl = "http://127.0.0.1:5080";

    /// <summary>gRPC over HTTP/2 without TLS, on loopback unless an operator says otherwise.</summary>
    public static WebApplicationBuilder AddRequests(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration[WebHostDefaults.ServerUrlsKey]))
        {
            builder.WebHost.UseUrls(DefaultUrl);
        }

        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddGrpc();
        builder.Services.AddSingleton<FleetService>();
        return builder;
    }
}
