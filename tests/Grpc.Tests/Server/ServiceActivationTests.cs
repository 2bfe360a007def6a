using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using TwinKernel.Fleet.Grpc.Tests.Echo;

namespace TwinKernel.Fleet.Grpc.Tests.Server;

public sealed class ServiceActivationTests
{
    [Fact]
    public async Task An_unregistered_service_is_made_per_call_and_disposed()
    {
        var log = new List<string>();
        await using var server = await KestrelServer.StartAsync(application => application.MapGrpcService<Derived>(), services => services.AddSingleton(log));
        await CallTwiceAsync(server);
        log.ShouldBe(["made", "called", "disposed", "made", "called", "disposed"]);
    }

    [Fact]
    public async Task A_registered_service_is_the_registered_one()
    {
        var log = new List<string>();
        await using var server = await KestrelServer.StartAsync(application => application.MapGrpcService<Derived>(), services => services.AddSingleton(log).AddSingleton<Derived>());
        await CallTwiceAsync(server);
        log.ShouldBe(["made", "called", "called"]);
    }

    [Fact]
    public async Task Conventions_reach_every_method()
    {
        await using var server = await KestrelServer.StartAsync(application =>
        {
            application.Use(async (context, next) =>
            {
                if (context.GetEndpoint()?.Metadata.GetMetadata<Closed>() is not null)
                {
                    context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                    return;
                }

                await next(context);
            });
            application.MapGrpcService<EchoService>().WithMetadata(new Closed());
        });
        using var channel = GrpcChannel.ForAddress(server.Address);
        var client = new Echo.Echo.EchoClient(channel);
        (await Should.ThrowAsync<RpcException>(client.UnaryAsync(new Packet()).ResponseAsync)).StatusCode.ShouldBe(StatusCode.Unauthenticated);
        using var download = client.Download(new Packet());
        (await Should.ThrowAsync<RpcException>(() => download.ResponseStream.MoveNext())).StatusCode.ShouldBe(StatusCode.Unauthenticated);
    }

    [Fact]
    public async Task A_handler_knows_its_call()
    {
        ServerCallContext? seen = null;
        var before = TimeProvider.System.GetUtcNow().UtcDateTime;
        await using var server = await KestrelServer.StartAsync(application => application.MapGrpcService<Derived>(), services => services.AddSingleton(new List<string>()).AddSingleton<Action<ServerCallContext>>(context =>
        {
            seen = context;
            context.Method.ShouldBe("/twinkernel.tests.v1.Echo/Unary");
            context.Host.ShouldBe("guest.example");
            context.Peer.ShouldStartWith("ipv4:127.0.0.1:");
            (context.Deadline - before).TotalSeconds.ShouldBeInRange(50, 110);
            context.GetHttpContext().Request.Protocol.ShouldBe("HTTP/2");
            context.AuthContext.IsPeerAuthenticated.ShouldBeFalse();
        }));
        using var channel = GrpcChannel.ForAddress(server.Address);
        await new Echo.Echo.EchoClient(channel).WithHost("guest.example").UnaryAsync(new Packet(), deadline: before.AddSeconds(60));
        seen.ShouldNotBeNull();
    }

    [Fact]
    public async Task What_is_no_service_cannot_be_mapped()
    {
        var exception = await Should.ThrowAsync<InvalidOperationException>(() => KestrelServer.StartAsync(application => application.MapGrpcService<List<int>>()));
        exception.Message.ShouldContain("BindService");
    }

    [Fact]
    public void Mapping_asks_for_AddGrpc()
    {
        var application = WebApplication.CreateSlimBuilder().Build();
        Should.Throw<InvalidOperationException>(() => application.MapGrpcService<EchoService>()).Message.ShouldContain("AddGrpc");
    }

    [Fact]
    public async Task The_limit_of_the_options_holds()
    {
        await using var server = await KestrelServer.StartAsync(application => application.MapGrpcService<EchoService>(), options: options => options.MaxReceiveMessageSize = 10);
        using var channel = GrpcChannel.ForAddress(server.Address);
        var exception = await Should.ThrowAsync<RpcException>(new Echo.Echo.EchoClient(channel).UnaryAsync(new Packet { Payload = Google.Protobuf.ByteString.CopyFrom(new byte[11]) }).ResponseAsync);
        exception.StatusCode.ShouldBe(StatusCode.ResourceExhausted);
    }

    private static async Task CallTwiceAsync(KestrelServer server)
    {
        using var channel = GrpcChannel.ForAddress(server.Address);
        var client = new Echo.Echo.EchoClient(channel);
        await client.UnaryAsync(new Packet());
        await client.UnaryAsync(new Packet());
    }

    private sealed record Closed;

    private abstract class Between : Echo.Echo.EchoBase;

    private sealed class Derived : Between, IAsyncDisposable
    {
        private readonly List<string> log;
        private readonly Action<ServerCallContext>? look;

        public Derived(List<string> log, IServiceProvider services)
        {
            this.log = log;
            look = services.GetService<Action<ServerCallContext>>();
            log.Add("made");
        }

        public override Task<Packet> Unary(Packet request, ServerCallContext context)
        {
            log.Add("called");
            look?.Invoke(context);
            return Task.FromResult(request);
        }

        public ValueTask DisposeAsync()
        {
            log.Add("disposed");
            return ValueTask.CompletedTask;
        }
    }
}
