using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using TwinKernel.Fleet.Grpc.Tests.Echo;
using HttpProtocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols;

namespace TwinKernel.Fleet.Grpc.Tests.Server;

/// <summary>What the server does with requests that no client of ours sends, byte by byte.</summary>
public sealed class ServerRefusalTests : IAsyncLifetime
{
    private const string Unary = "/twinkernel.tests.v1.Echo/Unary";
    private static readonly byte[] EmptyMessage = [0, 0, 0, 0, 0];

    private readonly HttpClient http = new(new SocketsHttpHandler()) { Timeout = TimeSpan.FromSeconds(30) };
    private KestrelServer server = null!;

    public async ValueTask InitializeAsync() => server = await KestrelServer.StartAsync(
        application => application.MapGrpcService<HostileService>());

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task A_good_request_has_headers_a_body_and_trailers()
    {
        using var response = await SendAsync(Unary, EmptyMessage, ("x-do", "return"));
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("application/grpc");
        (await response.Content.ReadAsByteArrayAsync()).ShouldBe(EmptyMessage);
        response.Headers.Contains("grpc-status").ShouldBeFalse();
        response.TrailingHeaders.GetValues("grpc-status").ShouldBe(["0"]);
    }

    [Fact]
    public async Task An_error_before_any_message_is_trailers_only_and_percent_encoded()
    {
        using var response = await SendAsync(Unary, EmptyMessage, ("x-do", "refuse"));
        response.Headers.GetValues("grpc-status").ShouldBe(["5"]);
        response.Headers.GetValues("grpc-message").ShouldBe(["kein Gr%C3%BC%C3%9F, 100%25"]);
        response.Headers.GetValues("x-why-bin").ShouldBe(["AQ"]);
        (await response.Content.ReadAsByteArrayAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_status_that_the_handler_sets_replaces_the_response()
    {
        using var response = await SendAsync(Unary, EmptyMessage, ("x-do", "set-status"));
        (await response.Content.ReadAsByteArrayAsync()).ShouldBeEmpty();
        response.Headers.GetValues("grpc-status").ShouldBe(["6"]);
    }

    [Fact]
    public async Task The_exception_of_a_handler_stays_inside()
    {
        using var response = await SendAsync(Unary, EmptyMessage, ("x-do", "throw"));
        response.Headers.GetValues("grpc-status").ShouldBe(["2"]);
        response.Headers.GetValues("grpc-message").ShouldBe(["Exception was thrown by handler."]);
        response.ToString().ShouldNotContain("secret");
    }

    [Fact]
    public async Task A_handler_that_returns_nothing_is_no_success()
    {
        using var response = await SendAsync(Unary, EmptyMessage, ("x-do", "null"));
        response.Headers.GetValues("grpc-status").ShouldBe(["1"]);
    }

    [Theory]
    [InlineData("application/grpc", HttpStatusCode.OK)]
    [InlineData("application/grpc+proto", HttpStatusCode.OK)]
    [InlineData("application/json", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("application/grpc-web", HttpStatusCode.UnsupportedMediaType)]
    public async Task The_content_type_is_checked(string type, HttpStatusCode expected)
    {
        using var response = await SendAsync(Unary, EmptyMessage, ("x-do", "return"), ("content-type", type));
        response.StatusCode.ShouldBe(expected);
    }

    [Fact]
    public async Task Other_methods_than_POST_find_nothing()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Address, Unary)) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var response = await http.SendAsync(request);
        response.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task HTTP_1_is_told_to_upgrade()
    {
        await using var old = await KestrelServer.StartAsync(application => application.MapGrpcService<HostileService>(), protocols: HttpProtocols.Http1);
        using var content = Content(EmptyMessage);
        using var response = await http.PostAsync(new Uri(old.Address, Unary), content);
        response.StatusCode.ShouldBe(HttpStatusCode.UpgradeRequired);
    }

    [Theory]
    [InlineData("0000000000", "grpc-encoding", "gzip", "12")]
    [InlineData("0100000000", null, null, "12")]
    [InlineData("0000000000", "grpc-timeout", "soon", "13")]
    [InlineData("", null, null, "13")]
    [InlineData("000000", null, null, "13")]
    [InlineData("000000000FAA", null, null, "13")]
    [InlineData("00000000000000000000", null, null, "13")]
    [InlineData("0000000003FFFFFF", null, null, "13")]
    [InlineData("0000400001", null, null, "8")]
    public async Task A_broken_request_gets_its_status(string body, string? header, string? value, string expected)
    {
        using var response = await SendAsync(Unary, Convert.FromHexString(body), ("x-do", "return"), (header ?? "x-none", value ?? ""));
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        response.Headers.GetValues("grpc-status").ShouldBe([expected]);
        if (expected == "12" && header is not null)
        {
            response.Headers.GetValues("grpc-accept-encoding").ShouldBe(["identity"]);
        }
    }

    [Theory]
    [InlineData("/twinkernel.tests.v1.Echo/Nothing", "Method is unimplemented.")]
    [InlineData("/nobody/Unary", "Service is unimplemented.")]
    public async Task What_is_not_there_is_unimplemented(string path, string message)
    {
        using var response = await SendAsync(path, EmptyMessage);
        response.Headers.GetValues("grpc-status").ShouldBe(["12"]);
        response.Headers.GetValues("grpc-message").ShouldBe([message]);
    }

    [Fact]
    public async Task What_is_no_gRPC_is_not_found()
    {
        using var response = await SendAsync("/nobody/Unary", EmptyMessage, ("content-type", "application/json"));
        response.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task The_deadline_ends_a_call_whose_handler_does_not_listen()
    {
        using var response = await SendAsync(Unary, EmptyMessage, ("x-do", "hang"), ("grpc-timeout", "200m"));
        response.Headers.GetValues("grpc-status").ShouldBe(["4"]);
        HostileService.Release.TrySetResult();
    }

    private static ByteArrayContent Content(byte[] body)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        return content;
    }

    private async Task<HttpResponseMessage> SendAsync(string path, byte[] body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server.Address, path)) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Content = Content(body);
        request.Headers.TryAddWithoutValidation("te", "trailers");
        foreach (var (name, value) in headers)
        {
            if (name == "content-type")
            {
                request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(value);
            }
            else
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return await http.SendAsync(request);
    }

    private sealed class HostileService : Echo.Echo.EchoBase
    {
        public static TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override async Task<Packet> Unary(Packet request, ServerCallContext context)
        {
            switch (context.RequestHeaders.GetValue("x-do"))
            {
                case "return":
                    return request;
                case "null":
                    return null!;
                case "throw":
                    throw new InvalidOperationException("a secret");
                case "refuse":
                    throw new RpcException(new Status(StatusCode.NotFound, "kein Grüß, 100%"), new Metadata { { "x-why-bin", [1] } });
                case "set-status":
                    context.Status = new Status(StatusCode.AlreadyExists, "");
                    return request;
                default:
                    await Release.Task.WaitAsync(TimeSpan.FromSeconds(30));
                    return request;
            }
        }
    }
}
