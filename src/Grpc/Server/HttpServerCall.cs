using System.Globalization;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Grpc.AspNetCore.Server.Calls;

/// <summary>
/// One call, carried by one HTTP/2 request. It ends once: with what its handler comes to, or with DEADLINE_EXCEEDED as
/// soon as the deadline passes, even while the handler still runs.
/// </summary>
internal sealed partial class HttpServerCall : ServerCallContext, IDisposable
{
    private static readonly AuthContext Nobody = new(null, []);

    private readonly IMethod method;
    private readonly GrpcServiceOptions options;
    private readonly ILogger logger;
    private readonly MessageReader reader;
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly TaskCompletionSource deadlinePassed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource? deadlineTimer;
    private readonly CancellationTokenSource cancellation;
    private readonly Status? refusal;
    private Metadata? requestHeaders;
    private Metadata? responseTrailers;
    private bool ended;
    private volatile bool callerGone;

    private HttpServerCall(HttpContext http, IMethod method, GrpcServiceOptions options, ILogger logger)
    {
        HttpContext = http;
        this.method = method;
        this.options = options;
        this.logger = logger;
        reader = new MessageReader(http.Request.Body, options.MaxReceiveMessageSize);
        DeadlineCore = DateTime.MaxValue;

        var encoding = http.Request.Headers[ProtocolHeaders.Encoding];
        if (encoding.Count > 0 && !string.Equals(encoding, ProtocolHeaders.Identity, StringComparison.OrdinalIgnoreCase))
        {
            refusal = new Status(StatusCode.Unimplemented, $"Unsupported grpc-encoding value '{encoding}'. Supported encodings: {ProtocolHeaders.Identity}");
        }

        var timeout = http.Request.Headers[ProtocolHeaders.Timeout];
        if (timeout.Count > 0)
        {
            if (GrpcTimeout.TryDecode(timeout.ToString(), out var left))
            {
                left = left < DeadlineLimit.Longest ? left : DeadlineLimit.Longest;
                DeadlineCore = TimeProvider.System.GetUtcNow().UtcDateTime + left;
                deadlineTimer = new CancellationTokenSource(left);
                deadlineTimer.Token.UnsafeRegister(static passed => ((TaskCompletionSource)passed!).TrySetResult(), deadlinePassed);
            }
            else
            {
                refusal = new Status(StatusCode.Internal, "The grpc-timeout header is malformed.");
            }
        }

        cancellation = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, deadlineTimer?.Token ?? CancellationToken.None);
    }

    public HttpContext HttpContext { get; }

    protected override string MethodCore => method.FullName;

    protected override string HostCore => HttpContext.Request.Host.Value ?? "";

    protected override string PeerCore => HttpContext.Connection.RemoteIpAddress switch
    {
        null => "unknown",
        { AddressFamily: AddressFamily.InterNetwork } address => $"ipv4:{address}:{HttpContext.Connection.RemotePort}",
        var address => $"ipv6:[{address}]:{HttpContext.Connection.RemotePort}",
    };

    protected override DateTime DeadlineCore { get; }

    protected override Metadata RequestHeadersCore => requestHeaders ??= ReadRequestHeaders();

    protected override CancellationToken CancellationTokenCore => cancellation.Token;

    protected override Metadata ResponseTrailersCore => responseTrailers ??= [];

    protected override Status StatusCore { get; set; } = Status.DefaultSuccess;

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore => Nobody;

    /// <summary>Runs a call to its end.</summary>
    public static async Task RunAsync(HttpContext http, IMethod method, GrpcServiceOptions options, ILogger logger, Func<HttpServerCall, Task> handle)
    {
        if (!HttpProtocol.IsHttp2(http.Request.Protocol) && !HttpProtocol.IsHttp3(http.Request.Protocol))
        {
            http.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            await http.Response.WriteAsync("gRPC needs HTTP/2.").ConfigureAwait(false);
            return;
        }

        if (!ProtocolHeaders.IsGrpcContentType(http.Request.ContentType))
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            await http.Response.WriteAsync($"Content-Type '{http.Request.ContentType}' is not {ProtocolHeaders.ContentType}.").ConfigureAwait(false);
            return;
        }

        // Messages are limited one by one; a stream of them is not.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        http.Response.ContentType = ProtocolHeaders.ContentType;
        using var call = new HttpServerCall(http, method, options, logger);
        if (call.refusal is { } refused)
        {
            http.Response.Headers[ProtocolHeaders.AcceptEncoding] = ProtocolHeaders.Identity;
            await call.EndAsync(refused, Metadata.Empty).ConfigureAwait(false);
            return;
        }

        var handling = call.HandleAsync(handle);
        if (await Task.WhenAny(handling, call.deadlinePassed.Task).ConfigureAwait(false) != handling)
        {
            // The handler may still be adding trailers: they stay behind.
            await call.EndAsync(new Status(StatusCode.DeadlineExceeded, ""), Metadata.Empty).ConfigureAwait(false);
        }

        await call.EndAsync(await handling.ConfigureAwait(false), call.ResponseTrailers).ConfigureAwait(false);
    }

    /// <summary>The one request of a call.</summary>
    public async Task<T> ReadSingleAsync<T>(Marshaller<T> marshaller)
        where T : class
    {
        var message = await ReadAsync(marshaller, CancellationToken.None).ConfigureAwait(false)
            ?? throw new RpcException(new Status(StatusCode.Internal, "Incomplete message: the request has none."));
        return await ReadAsync(marshaller, CancellationToken.None).ConfigureAwait(false) is null
            ? message
            : throw new RpcException(new Status(StatusCode.Internal, "Additional data after the message received."));
    }

    /// <summary>The next request; null at the end.</summary>
    public async Task<T?> ReadAsync<T>(Marshaller<T> marshaller, CancellationToken cancellationToken)
        where T : class
    {
        using var both = cancellationToken.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(cancellation.Token, cancellationToken) : null;
        try
        {
            return await reader.ReadAsync(marshaller, both?.Token ?? cancellation.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            // A reset ends the read at once; RequestAborted follows on another thread.
            callerGone = true;
            throw;
        }
    }

    /// <summary>The one response of a call; left out when the handler chose another status than OK.</summary>
    public Task WriteSingleAsync<T>(Marshaller<T> marshaller, T? message)
        where T : class
    {
        if (StatusCore.StatusCode != StatusCode.OK)
        {
            return Task.CompletedTask;
        }

        return message is null
            ? throw new RpcException(new Status(StatusCode.Cancelled, "No message returned from method."))
            : WriteAsync(marshaller, message, CancellationToken.None);
    }

    /// <summary>Sends a response, and the headers before the first one.</summary>
    public async Task WriteAsync<T>(Marshaller<T> marshaller, T message, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var frame = MessageWriter.Serialize(marshaller, message, options.MaxSendMessageSize);
        using var both = cancellationToken.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(cancellation.Token, cancellationToken) : null;
        var token = both?.Token ?? cancellation.Token;
        await writing.WaitAsync(token).ConfigureAwait(false);
        try
        {
            if (ended)
            {
                throw new InvalidOperationException("Can't write the message because the request is complete.");
            }

            await HttpContext.Response.Body.WriteAsync(frame.Frame, token).ConfigureAwait(false);
        }
        finally
        {
            writing.Release();
        }
    }

    public void Dispose()
    {
        cancellation.Dispose();
        deadlineTimer?.Dispose();
        writing.Dispose();
    }

    protected override async Task WriteResponseHeadersAsyncCore(Metadata responseHeaders)
    {
        ArgumentNullException.ThrowIfNull(responseHeaders);
        await writing.WaitAsync(cancellation.Token).ConfigureAwait(false);
        try
        {
            if (ended || HttpContext.Response.HasStarted)
            {
                throw new InvalidOperationException("Response headers can only be sent once per call.");
            }

            Append(HttpContext.Response.Headers, responseHeaders);
            await HttpContext.Response.StartAsync(cancellation.Token).ConfigureAwait(false);
            await HttpContext.Response.Body.FlushAsync(cancellation.Token).ConfigureAwait(false);
        }
        finally
        {
            writing.Release();
        }
    }

    private async Task<Status> HandleAsync(Func<HttpServerCall, Task> handle)
    {
        try
        {
            await handle(this).ConfigureAwait(false);
            return StatusCore;
        }
        catch (RpcException e)
        {
            foreach (var entry in e.Trailers)
            {
                ResponseTrailersCore.Add(entry);
            }

            Log.Refused(logger, MethodCore, e.StatusCode, e.Status.Detail);
            return e.Status;
        }
        catch (Exception e) when (deadlinePassed.Task.IsCompleted)
        {
            Log.DeadlineExceeded(logger, e, MethodCore);
            return new Status(StatusCode.DeadlineExceeded, "");
        }
        catch (Exception e) when (callerGone || cancellation.IsCancellationRequested)
        {
            Log.Cancelled(logger, e, MethodCore);
            return new Status(StatusCode.Cancelled, "Call canceled by the client.");
        }
        catch (Exception e)
        {
            Log.HandlerFailed(logger, e, MethodCore);
            return new Status(StatusCode.Unknown, options.EnableDetailedErrors == true ? $"Exception was thrown by handler. {e.GetType().Name}: {e.Message}" : "Exception was thrown by handler.");
        }
    }

    /// <summary>Sends the status; in the headers when it is an error and nothing has been sent yet.</summary>
    private async Task EndAsync(Status status, Metadata trailers)
    {
        await writing.WaitAsync().ConfigureAwait(false);
        try
        {
            if (ended || HttpContext.RequestAborted.IsCancellationRequested)
            {
                ended = true;
                return;
            }

            ended = true;
            var response = HttpContext.Response;
            if (!response.HasStarted && status.StatusCode == StatusCode.OK)
            {
                await response.StartAsync().ConfigureAwait(false);
            }

            var target = response.HasStarted
                ? HttpContext.Features.Get<IHttpResponseTrailersFeature>()?.Trailers ?? throw new InvalidOperationException("The server does not support response trailers.")
                : response.Headers;
            target[ProtocolHeaders.Status] = ((int)status.StatusCode).ToString(CultureInfo.InvariantCulture);
            if (!string.IsNullOrEmpty(status.Detail))
            {
                target[ProtocolHeaders.Message] = PercentEncoding.Encode(status.Detail);
            }

            Append(target, trailers);
            await response.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            Log.Cancelled(logger, e, MethodCore);
        }
        finally
        {
            writing.Release();
        }
    }

    private static void Append(IHeaderDictionary headers, Metadata metadata)
    {
        foreach (var entry in metadata)
        {
            if (!ProtocolHeaders.IsReserved(entry.Key))
            {
                // Not Append, which leaves out empty values.
                headers[entry.Key] = StringValues.Concat(headers[entry.Key], MetadataHeaders.Encode(entry));
            }
        }
    }

    private Metadata ReadRequestHeaders()
    {
        var metadata = new Metadata();
        foreach (var (name, values) in HttpContext.Request.Headers)
        {
            foreach (var value in values)
            {
                MetadataHeaders.AddReceived(metadata, name, value ?? "");
            }
        }

        return metadata;
    }

    private static partial class Log
    {
        [LoggerMessage(9001, LogLevel.Debug, "{Method} ended with {Code}: {Detail}")]
        public static partial void Refused(ILogger logger, string method, StatusCode code, string detail);

        [LoggerMessage(9002, LogLevel.Debug, "{Method} passed its deadline")]
        public static partial void DeadlineExceeded(ILogger logger, Exception exception, string method);

        [LoggerMessage(9003, LogLevel.Debug, "{Method} was cancelled by its caller")]
        public static partial void Cancelled(ILogger logger, Exception exception, string method);

        [LoggerMessage(9004, LogLevel.Error, "The handler of {Method} failed")]
        public static partial void HandlerFailed(ILogger logger, Exception exception, string method);
    }
}
