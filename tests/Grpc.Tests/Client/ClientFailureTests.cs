using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TwinKernel.Fleet.Grpc.Tests.Echo;

namespace TwinKernel.Fleet.Grpc.Tests.Client;

/// <summary>What the client makes of answers that are no gRPC, or broken.</summary>
public sealed class ClientFailureTests
{
    [Theory]
    [InlineData(400, StatusCode.Internal)]
    [InlineData(401, StatusCode.Unauthenticated)]
    [InlineData(403, StatusCode.PermissionDenied)]
    [InlineData(404, StatusCode.Unimplemented)]
    [InlineData(429, StatusCode.Unavailable)]
    [InlineData(502, StatusCode.Unavailable)]
    [InlineData(503, StatusCode.Unavailable)]
    [InlineData(504, StatusCode.Unavailable)]
    [InlineData(418, StatusCode.Unknown)]
    [InlineData(302, StatusCode.Unknown)]
    public async Task An_HTTP_error_becomes_a_status(int http, StatusCode expected)
    {
        var exception = await CallAsync(context =>
        {
            context.Response.StatusCode = http;
            context.Response.Headers.Location = "/elsewhere";
            return Task.CompletedTask;
        });
        exception.StatusCode.ShouldBe(expected);
        exception.Status.Detail.ShouldContain(http.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task A_status_of_the_answer_wins_over_the_HTTP_error()
    {
        var exception = await CallAsync(context =>
        {
            context.Response.StatusCode = 500;
            context.Response.Headers["grpc-status"] = "10";
            context.Response.Headers["grpc-message"] = "try %C3%BC again";
            return Task.CompletedTask;
        });
        exception.Status.ShouldBe(new Status(StatusCode.Aborted, "try ü again"));
    }

    [Fact]
    public async Task A_web_page_is_no_answer()
    {
        var exception = await CallAsync(context =>
        {
            context.Response.ContentType = "text/html";
            return context.Response.WriteAsync("<p>hello");
        });
        exception.StatusCode.ShouldBe(StatusCode.Unknown);
        exception.Status.Detail.ShouldContain("text/html");
    }

    [Theory]
    [InlineData("", null, StatusCode.Internal, "without a grpc-status")]
    [InlineData("", "0", StatusCode.Internal, "without a response")]
    [InlineData("0000000000", null, StatusCode.Internal, "without a grpc-status")]
    [InlineData("00000000000000000000", "0", StatusCode.Internal, "More than one")]
    [InlineData("0000000005AA", "0", StatusCode.Internal, "Incomplete")]
    [InlineData("0100000000", "0", StatusCode.Unimplemented, "compressed")]
    [InlineData("0000000001FF", "0", StatusCode.Internal, "deserialized")]
    [InlineData("0000400001", "0", StatusCode.ResourceExhausted, "4194305")]
    [InlineData("0000000000", "99", StatusCode.Unknown, "99")]
    [InlineData("0000000000", "7", StatusCode.PermissionDenied, "no")]
    public async Task A_broken_answer_is_an_error(string body, string? status, StatusCode expected, string text)
    {
        var exception = await CallAsync(async context =>
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.StartAsync();
            await context.Response.Body.WriteAsync(Convert.FromHexString(body));
            if (status is not null)
            {
                context.Response.AppendTrailer("grpc-status", status);
                context.Response.AppendTrailer("grpc-message", "no");
            }
        });
        exception.StatusCode.ShouldBe(expected);
        exception.Status.Detail.ShouldContain(text);
    }

    [Theory]
    [InlineData(0x2, StatusCode.Internal)]
    [InlineData(0x7, StatusCode.Unavailable)]
    [InlineData(0x8, StatusCode.Cancelled)]
    [InlineData(0xb, StatusCode.ResourceExhausted)]
    [InlineData(0xc, StatusCode.PermissionDenied)]
    public async Task A_reset_of_the_stream_becomes_a_status(int errorCode, StatusCode expected)
    {
        var exception = await CallAsync(async context =>
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            context.Features.GetRequiredFeature<IHttpResetFeature>().Reset(errorCode);
        });
        exception.StatusCode.ShouldBe(expected);
    }

    [Fact]
    public async Task A_connection_that_breaks_is_unavailable()
    {
        var exception = await CallAsync(async context =>
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            context.Features.GetRequiredFeature<Microsoft.AspNetCore.Connections.Features.IConnectionLifetimeFeature>().Abort();
        });
        exception.StatusCode.ShouldBe(StatusCode.Unavailable);
    }

    [Fact]
    public async Task Nobody_at_the_address_is_unavailable_for_every_kind_of_call()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();

        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port}");
        var client = new Echo.Echo.EchoClient(channel);
        var exception = await Should.ThrowAsync<RpcException>(client.UnaryAsync(new Packet()).ResponseAsync);
        exception.StatusCode.ShouldBe(StatusCode.Unavailable);
        exception.Status.Detail.ShouldContain("refused");
        exception.Status.DebugException.ShouldBeOfType<HttpRequestException>();

        using var upload = client.Upload();
        (await Should.ThrowAsync<RpcException>(() => upload.RequestStream.WriteAsync(new Packet()))).StatusCode.ShouldBe(StatusCode.Unavailable);
        (await Should.ThrowAsync<RpcException>(upload.ResponseHeadersAsync)).StatusCode.ShouldBe(StatusCode.Unavailable);
        (await Should.ThrowAsync<RpcException>(upload.ResponseAsync)).StatusCode.ShouldBe(StatusCode.Unavailable);

        using var download = client.Download(new Packet());
        (await Should.ThrowAsync<RpcException>(() => download.ResponseStream.MoveNext())).StatusCode.ShouldBe(StatusCode.Unavailable);
    }

    [Fact]
    public async Task A_channel_finds_its_server_again()
    {
        var first = await KestrelServer.StartEchoAsync();
        var port = first.Address.Port;
        using var channel = GrpcChannel.ForAddress(first.Address);
        var client = new Echo.Echo.EchoClient(channel);
        await client.UnaryAsync(new Packet());
        await first.DisposeAsync();
        var gone = await Should.ThrowAsync<RpcException>(client.UnaryAsync(new Packet()).ResponseAsync);
        gone.StatusCode.ShouldBe(StatusCode.Unavailable, gone.Status.Detail);

        await using var second = await KestrelServer.StartAsync(application => application.MapGrpcService<EchoService>(), port: port);
        (await client.UnaryAsync(new Packet { Number = 3 })).Number.ShouldBe(3);
    }

    [Fact]
    public async Task A_message_above_the_limit_is_not_sent()
    {
        await using var server = await KestrelServer.StartEchoAsync();
        using var channel = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions { MaxSendMessageSize = 10 });
        var client = new Echo.Echo.EchoClient(channel);
        var large = new Packet { Payload = Google.Protobuf.ByteString.CopyFrom(new byte[11]) };
        (await Should.ThrowAsync<RpcException>(client.UnaryAsync(large).ResponseAsync)).StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        using var chat = client.Chat();
        (await Should.ThrowAsync<RpcException>(() => chat.RequestStream.WriteAsync(large))).StatusCode.ShouldBe(StatusCode.ResourceExhausted);
    }

    [Fact]
    public async Task Disposal_of_the_channel_ends_its_calls()
    {
        await using var server = await KestrelServer.StartEchoAsync();
        var channel = GrpcChannel.ForAddress(server.Address);
        using var call = new Echo.Echo.EchoClient(channel).Chat();
        await call.RequestStream.WriteAsync(new Packet());
        (await call.ResponseStream.MoveNext()).ShouldBeTrue();
        channel.Dispose();
        (await Should.ThrowAsync<RpcException>(() => call.ResponseStream.MoveNext())).StatusCode.ShouldBe(StatusCode.Cancelled);
    }

    [Fact]
    public async Task A_handler_of_the_caller_carries_the_requests()
    {
        await using var server = await KestrelServer.StartEchoAsync();
        using var counting = new CountingHandler { InnerHandler = new SocketsHttpHandler() };
        using (var channel = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions { HttpHandler = counting }))
        {
            await new Echo.Echo.EchoClient(channel).UnaryAsync(new Packet());
        }

        counting.Count.ShouldBe(1);
        counting.Disposed.ShouldBeFalse();
    }

    [Theory]
    [InlineData("127.0.0.1:5080")]
    [InlineData("ftp://127.0.0.1")]
    [InlineData("")]
    public void An_address_has_a_scheme(string address) =>
        Should.Throw<ArgumentException>(() => GrpcChannel.ForAddress(address)).Message.ShouldContain("http://host:port");

    [Fact]
    public void A_deadline_in_local_time_is_refused()
    {
        using var channel = GrpcChannel.ForAddress("http://127.0.0.1:1");
        Should.Throw<InvalidOperationException>(() => new Echo.Echo.EchoClient(channel).UnaryAsync(new Packet(), deadline: new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Local)));
    }

    private static async Task<RpcException> CallAsync(RequestDelegate answer)
    {
        await using var server = await KestrelServer.StartAsync(application => application.MapPost("/{service}/{method}", answer));
        using var channel = GrpcChannel.ForAddress(server.Address);
        return await Should.ThrowAsync<RpcException>(new Echo.Echo.EchoClient(channel).UnaryAsync(new Packet(), deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(30)).ResponseAsync);
    }

    private sealed class CountingHandler : DelegatingHandler
    {
        public int Count { get; private set; }

        public bool Disposed { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Count++;
            return base.SendAsync(request, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            Disposed = true;
            base.Dispose(disposing);
        }
    }
}
