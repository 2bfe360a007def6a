using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TwinKernel.Fleet.Coordinator.Tests.Harness;

/// <summary>What a gate asks: a web server that answers as it is told.</summary>
internal sealed class AnsweringServer : IAsyncDisposable
{
    private readonly WebApplication _application;

    private AnsweringServer(WebApplication application) => _application = application;

    public string Address => _application.Urls.Single();

    public int Status { get; set; } = 200;

    public string Body { get; set; } = "";

    public static async Task<AnsweringServer> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication application = builder.Build();
        AnsweringServer server = new(application);
        application.Run(async context =>
        {
            context.Response.StatusCode = server.Status;
            await context.Response.WriteAsync(server.Body);
        });
        await application.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync() => await _application.DisposeAsync();
}
