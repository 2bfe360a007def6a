using System.Net;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace TwinKernel.Fleet.Grpc.Tests.Echo;

/// <summary>A real Kestrel on a free port of the loopback, HTTP/2 in clear text.</summary>
public sealed class KestrelServer : IAsyncDisposable
{
    private readonly WebApplication application;

    private KestrelServer(WebApplication application) => this.application = application;

    public Uri Address => new(application.Urls.Single());

    public IServiceProvider Services => application.Services;

    public static async Task<KestrelServer> StartAsync(Action<WebApplication> map, Action<IServiceCollection>? add = null, Action<GrpcServiceOptions>? options = null, HttpProtocols protocols = HttpProtocols.Http2, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = protocols));
        builder.Services.AddGrpc(options ?? (_ => { }));
        builder.Services.AddSingleton<Observations>();
        add?.Invoke(builder.Services);
        var application = builder.Build();
        map(application);
        await application.StartAsync();
        return new KestrelServer(application);
    }

    public static Task<KestrelServer> StartEchoAsync() => StartAsync(application => application.MapGrpcService<EchoService>());

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await application.StopAsync(patience.Token);
        await application.DisposeAsync();
    }
}
