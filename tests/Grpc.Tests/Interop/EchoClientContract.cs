using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using TwinKernel.Fleet.Grpc.Tests.Echo;

namespace TwinKernel.Fleet.Grpc.Tests.Interop;

/// <summary>What the client does against a server that behaves as echo.proto says, whoever wrote that server.</summary>
public abstract class EchoClientContract : IAsyncLifetime
{
    private const string StrangeText = "Größe 100% 日本\n\"end\"";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private GrpcChannel channel = null!;

    private Echo.Echo.EchoClient Client { get; set; } = null!;

    public async ValueTask InitializeAsync()
    {
        channel = GrpcChannel.ForAddress(await StartServerAsync());
        Client = new Echo.Echo.EchoClient(channel);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        channel?.Dispose();
        await StopServerAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16_379)]
    [InlineData(1 << 20)]
    [InlineData(4 * 1024 * 1024 - 64)]
    public async Task A_unary_call_brings_back_what_was_sent(int bytes)
    {
        var sent = Packet(bytes);
        var received = await Client.UnaryAsync(sent, deadline: Soon());
        received.ShouldBe(sent);
    }

    [Fact]
    public void A_blocking_call_brings_back_what_was_sent() =>
        Client.Unary(new Packet { Number = 7 }, deadline: Soon()).Number.ShouldBe(7);

    [Fact]
    public async Task Hundred_calls_at_once_share_the_channel()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Client.UnaryAsync(new Packet { Number = i }, deadline: Soon()).ResponseAsync));
        answers.Select(answer => answer.Number).ShouldBe(Enumerable.Range(0, 100).Select(i => (long)i));
    }

    [Fact]
    public async Task Metadata_goes_both_ways_in_headers_and_trailers()
    {
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        var headers = new Metadata { { "X-Echo", "one, two" }, { "x-echo.more_2", "three" }, { "x-echo-bin", bytes }, { "x-echo-none-bin", [] } };

        using var call = Client.UnaryAsync(new Packet(), headers, Soon());
        var received = await call.ResponseHeadersAsync;
        await call;

        foreach (var metadata in (Metadata[])[received, call.GetTrailers()])
        {
            metadata.GetValue("x-echo").ShouldBe("one, two");
            metadata.GetValue("x-echo.more_2").ShouldBe("three");
            metadata.GetValueBytes("x-echo-bin").ShouldBe(bytes);
            metadata.GetValueBytes("x-echo-none-bin").ShouldBe([]);
        }

        call.GetStatus().StatusCode.ShouldBe(StatusCode.OK);
    }

    [Theory]
    [InlineData(StatusCode.NotFound, StrangeText)]
    [InlineData(StatusCode.Unauthenticated, "")]
    [InlineData(StatusCode.DataLoss, "%41 is not A")]
    public async Task A_failed_call_gives_code_text_and_binary_details(StatusCode code, string text)
    {
        var exception = await Should.ThrowAsync<RpcException>(Client.UnaryAsync(new Packet(), Failing(code, text), Soon()).ResponseAsync);
        exception.StatusCode.ShouldBe(code);
        exception.Status.Detail.ShouldBe(text);
        exception.Trailers.GetValueBytes("x-detail-bin").ShouldBe([0, 255, 1, 254]);
    }

    [Fact]
    public async Task A_stream_that_fails_gives_the_status_at_its_end()
    {
        using var call = Client.Download(new Packet { Number = 1 }, Failing(StatusCode.Aborted, StrangeText), Soon());
        var exception = await Should.ThrowAsync<RpcException>(() => call.ResponseStream.MoveNext());
        exception.Status.Detail.ShouldBe(StrangeText);
        call.GetStatus().StatusCode.ShouldBe(StatusCode.Aborted);
    }

    [Fact]
    public async Task Sixty_four_MiB_go_up_in_chunks()
    {
        using var call = Client.Upload(deadline: Soon());
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var i = 0; i < 64; i++)
        {
            var chunk = Packet(1 << 20);
            hash.AppendData(chunk.Payload.Span);
            await call.RequestStream.WriteAsync(chunk);
        }

        await call.RequestStream.CompleteAsync();
        var answer = await call;
        answer.Number.ShouldBe(64L << 20);
        answer.Payload.ToByteArray().ShouldBe(hash.GetHashAndReset());
    }

    [Fact]
    public async Task Sixty_four_MiB_come_down_in_chunks()
    {
        var chunk = Packet(1 << 20);
        chunk.Number = 64;
        using var call = Client.Download(chunk, deadline: Soon());
        long expected = 0;
        await foreach (var packet in call.ResponseStream.ReadAllAsync())
        {
            packet.Number.ShouldBe(expected++);
            packet.Payload.Equals(chunk.Payload).ShouldBeTrue();
        }

        expected.ShouldBe(64);
        call.GetStatus().StatusCode.ShouldBe(StatusCode.OK);
    }

    [Fact]
    public async Task Empty_streams_are_streams()
    {
        using var upload = Client.Upload(deadline: Soon());
        await upload.RequestStream.CompleteAsync();
        (await upload).Number.ShouldBe(0);

        using var download = Client.Download(new Packet(), deadline: Soon());
        (await download.ResponseStream.MoveNext()).ShouldBeFalse();

        using var chat = Client.Chat(deadline: Soon());
        await chat.RequestStream.CompleteAsync();
        (await chat.ResponseStream.MoveNext()).ShouldBeFalse();
    }

    [Fact]
    public async Task Both_streams_of_a_duplex_call_take_turns()
    {
        using var call = Client.Chat(deadline: Soon());
        for (var i = 0; i < 50; i++)
        {
            await call.RequestStream.WriteAsync(new Packet { Number = i });
            (await call.ResponseStream.MoveNext()).ShouldBeTrue();
            call.ResponseStream.Current.Number.ShouldBe(i);
        }

        await call.RequestStream.CompleteAsync();
        (await call.ResponseStream.MoveNext()).ShouldBeFalse();
        await Should.ThrowAsync<InvalidOperationException>(() => call.RequestStream.WriteAsync(new Packet()));
    }

    [Fact]
    public async Task A_server_that_ends_early_is_heard_while_requests_are_written()
    {
        using var call = Client.Upload(new Metadata { { "x-fail-after", "2" } }, Soon());
        var exception = await Should.ThrowAsync<RpcException>(async () =>
        {
            while (true)
            {
                await call.RequestStream.WriteAsync(Packet(1 << 20));
            }
        });
        exception.Status.ShouldBe(new Status(StatusCode.InvalidArgument, "enough"));
        (await Should.ThrowAsync<RpcException>(call.ResponseAsync)).Status.ShouldBe(exception.Status);
    }

    [Fact]
    public async Task A_deadline_ends_the_call_on_both_sides()
    {
        var before = await CancelledAsync();
        var clock = Stopwatch.StartNew();
        var exception = await Should.ThrowAsync<RpcException>(Client.UnaryAsync(new Packet(), Sleeping(), After(TimeSpan.FromMilliseconds(300))).ResponseAsync);
        exception.StatusCode.ShouldBe(StatusCode.DeadlineExceeded);
        clock.Elapsed.ShouldBeInRange(TimeSpan.FromMilliseconds(290), TimeSpan.FromSeconds(20));
        await CancelledReachesAsync(before + 1);
    }

    [Fact]
    public async Task A_deadline_that_has_passed_sends_nothing()
    {
        var exception = await Should.ThrowAsync<RpcException>(Client.UnaryAsync(new Packet(), deadline: After(TimeSpan.FromSeconds(-1))).ResponseAsync);
        exception.StatusCode.ShouldBe(StatusCode.DeadlineExceeded);
    }

    [Fact]
    public async Task A_token_cancels_the_call_on_both_sides()
    {
        var before = await CancelledAsync();
        using var cancellation = new CancellationTokenSource();
        using var call = Client.UnaryAsync(new Packet(), new Metadata { { "x-echo", "there" }, { "x-sleep-ms", "60000" } }, cancellationToken: cancellation.Token);
        await call.ResponseHeadersAsync;
        await cancellation.CancelAsync();
        (await Should.ThrowAsync<RpcException>(call.ResponseAsync)).StatusCode.ShouldBe(StatusCode.Cancelled);
        await CancelledReachesAsync(before + 1);
    }

    [Fact]
    public async Task Disposal_cancels_a_stream_without_end()
    {
        var before = await CancelledAsync();
        using (var call = Client.Download(new Packet { Number = -1, Payload = ByteString.CopyFrom(new byte[1000]) }))
        {
            (await call.ResponseStream.MoveNext()).ShouldBeTrue();
        }

        await CancelledReachesAsync(before + 1);
    }

    [Fact]
    public async Task A_token_of_MoveNext_cancels_the_call()
    {
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        using var call = Client.Chat();
        var exception = await Should.ThrowAsync<RpcException>(() => call.ResponseStream.MoveNext(cancellation.Token));
        exception.StatusCode.ShouldBe(StatusCode.Cancelled);
    }

    [Fact]
    public async Task An_unknown_method_is_unimplemented()
    {
        var exception = await Should.ThrowAsync<RpcException>(Client.MissingAsync(new Packet(), deadline: Soon()).ResponseAsync);
        exception.StatusCode.ShouldBe(StatusCode.Unimplemented);
    }

    [Fact]
    public async Task A_message_above_the_limit_is_refused_on_arrival()
    {
        using var small = GrpcChannel.ForAddress(channel.Address(), new GrpcChannelOptions { MaxReceiveMessageSize = 1000 });
        var exception = await Should.ThrowAsync<RpcException>(new Echo.Echo.EchoClient(small).UnaryAsync(Packet(1001), deadline: Soon()).ResponseAsync);
        exception.StatusCode.ShouldBe(StatusCode.ResourceExhausted);
    }

    protected abstract Task<Uri> StartServerAsync();

    protected abstract Task StopServerAsync();

    private static DateTime Soon() => After(Patience);

    private static DateTime After(TimeSpan time) => TimeProvider.System.GetUtcNow().UtcDateTime + time;

    private static Metadata Sleeping() => new() { { "x-sleep-ms", "60000" } };

    private static Metadata Failing(StatusCode code, string text) => new()
    {
        { "x-fail-code", ((int)code).ToString(System.Globalization.CultureInfo.InvariantCulture) },
        { "x-fail-message-bin", Encoding.UTF8.GetBytes(text) },
    };

    private static Packet Packet(int bytes)
    {
        var payload = new byte[bytes];
        Random.Shared.NextBytes(payload);
        return new Packet { Payload = ByteString.CopyFrom(payload) };
    }

    private async Task<long> CancelledAsync() => (await Client.UnaryAsync(new Packet { Number = -1 }, deadline: Soon())).Number;

    private async Task CancelledReachesAsync(long count)
    {
        var clock = Stopwatch.StartNew();
        while (await CancelledAsync() < count)
        {
            clock.Elapsed.ShouldBeLessThan(Patience, "the server never saw the cancellation");
            await Task.Delay(20);
        }
    }
}

internal static class ChannelAddress
{
    public static Uri Address(this GrpcChannel channel) => new($"http://{channel.Target}");
}
