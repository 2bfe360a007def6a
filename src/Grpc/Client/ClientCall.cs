using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client.Calls;

/// <summary>
/// One call over one HTTP/2 stream. The first of these ends it, and nothing after changes its status: the server's
/// status, a failure of the transport, the caller's token, the deadline, disposal.
/// </summary>
internal sealed class ClientCall<TRequest, TResponse> : IDisposable
    where TRequest : class
    where TResponse : class
{
    private static readonly ProductInfoHeaderValue UserAgent = new("grpc-dotnet-twinkernel", "1.0");

    private readonly GrpcChannel channel;
    private readonly Method<TRequest, TResponse> method;
    private readonly string? host;
    private readonly CallOptions options;
    private readonly TaskCompletionSource<Metadata> headers = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource transport = new();
    private readonly List<IDisposable> registrations = [];
    private readonly Lock ending = new();
    private Status? status;
    private Metadata trailers = Metadata.Empty;
    private MessageStreamContent? requests;
    private HttpResponseMessage? response;
    private MessageReader? reader;
    private Task opening = Task.CompletedTask;

    public ClientCall(GrpcChannel channel, Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        if (options.Deadline is { Kind: not DateTimeKind.Utc } deadline && deadline != DateTime.MaxValue && deadline != DateTime.MinValue)
        {
            throw new InvalidOperationException("Deadline must have a kind DateTimeKind.Utc or be equal to DateTime.MaxValue or DateTime.MinValue.");
        }

        this.channel = channel;
        this.method = method;
        this.host = host;
        this.options = options;
    }

    public Task<Metadata> Headers => headers.Task;

    /// <summary>Cancelled when nothing of the call may go on.</summary>
    public CancellationToken Transport => transport.Token;

    /// <summary>Done when the call has a status. Responses that are not read hold it up.</summary>
    public Task Completion => completion.Task;

    public bool ReadsOnItsOwn => method.Type == MethodType.ClientStreaming;

    public Status? Ended
    {
        get
        {
            lock (ending)
            {
                return status;
            }
        }
    }

    public Status GetStatus() => Ended ?? throw new InvalidOperationException("Unable to get the status because the call is not complete.");

    public Metadata GetTrailers()
    {
        _ = Ended ?? throw new InvalidOperationException("Can't get the call trailers because the call has not completed successfully.");
        return trailers;
    }

    /// <summary>Sends the request of a call with one.</summary>
    public void Start(TRequest request)
    {
        byte[] frame;
        try
        {
            using var message = MessageWriter.Serialize(method.RequestMarshaller, request, channel.MaxSendMessageSize);
            frame = message.Frame.ToArray();
        }
        catch (RpcException e)
        {
            End(e.Status);
            return;
        }

        Open(new SingleMessageContent(frame));
    }

    /// <summary>Starts a call with a stream of requests.</summary>
    public RequestStream<TRequest, TResponse> StartStream()
    {
        requests = new MessageStreamContent();
        Open(requests);
        return new RequestStream<TRequest, TResponse>(this, method.RequestMarshaller, requests, channel.MaxSendMessageSize) { WriteOptions = options.WriteOptions };
    }

    /// <summary>The one response.</summary>
    /// <exception cref="RpcException">The call ended with another status than OK.</exception>
    public async Task<TResponse> ReadSingleAsync()
    {
        var first = await ReadAsync().ConfigureAwait(false);
        if (first is not null && await ReadAsync().ConfigureAwait(false) is not null)
        {
            End(new Status(StatusCode.Internal, "More than one response came to a call that has one."));
        }

        var ended = GetStatus();
        if (ended.StatusCode != StatusCode.OK)
        {
            throw new RpcException(ended, trailers);
        }

        return first ?? throw new RpcException(new Status(StatusCode.Internal, "The call ended with OK but without a response."), trailers);
    }

    /// <summary>The next response; null when the call has ended.</summary>
    public async Task<TResponse?> ReadAsync()
    {
        await opening.ConfigureAwait(false);
        if (Ended is not null)
        {
            return null;
        }

        try
        {
            var message = await reader!.ReadAsync(method.ResponseMarshaller, transport.Token).ConfigureAwait(false);
            if (message is not null)
            {
                return message;
            }

            var last = response!.TrailingHeaders.NonValidated;
            End(ReadStatus(last) ?? new Status(StatusCode.Internal, "The response ended without a grpc-status."), ReadMetadata(last));
        }
        catch (RpcException e)
        {
            End(e.Status);
        }
        catch (Exception e)
        {
            End(FromException(e));
        }

        return null;
    }

    public RpcException Failure() => new(GetStatus(), trailers);

    public void Cancel() => End(new Status(StatusCode.Cancelled, "Call canceled by the client."));

    public void Dispose() => End(new Status(StatusCode.Cancelled, "gRPC call disposed."));

    public Status FromException(Exception exception)
    {
        var failure = TransportFailure.FromException(exception);
        return failure.StatusCode == StatusCode.Cancelled && options.Deadline is { } deadline && deadline <= TimeProvider.System.GetUtcNow().UtcDateTime
            ? new Status(StatusCode.DeadlineExceeded, "", exception)
            : failure;
    }

    public void End(Status result, Metadata? resultTrailers = null)
    {
        IDisposable[] toDispose;
        lock (ending)
        {
            if (status is not null)
            {
                return;
            }

            trailers = resultTrailers ?? Metadata.Empty;
            status = result;
            toDispose = [.. registrations];
            registrations.Clear();
        }

        if (result.StatusCode != StatusCode.OK && headers.TrySetException(new RpcException(result, trailers)))
        {
            // Whoever does not ask for the headers learns of the failure elsewhere.
            _ = headers.Task.Exception;
        }

        completion.TrySetResult();
        transport.Cancel();
        requests?.Abort();
        response?.Dispose();
        foreach (var registration in toDispose)
        {
            registration.Dispose();
        }
    }

    private void Open(HttpContent content)
    {
        var left = Timeout.InfiniteTimeSpan;
        if (options.Deadline is { } deadline && deadline != DateTime.MaxValue)
        {
            left = deadline == DateTime.MinValue ? TimeSpan.Zero : deadline - TimeProvider.System.GetUtcNow().UtcDateTime;
            if (left <= TimeSpan.Zero)
            {
                End(new Status(StatusCode.DeadlineExceeded, ""));
                return;
            }

            var timer = new CancellationTokenSource(left < DeadlineLimit.Longest ? left : DeadlineLimit.Longest);
            Register(timer);
            Register(timer.Token.UnsafeRegister(static call => ((ClientCall<TRequest, TResponse>)call!).End(new Status(StatusCode.DeadlineExceeded, "")), this));
        }

        Register(channel.Shutdown.UnsafeRegister(static call => ((ClientCall<TRequest, TResponse>)call!).Dispose(), this));
        Register(options.CancellationToken.UnsafeRegister(static call => ((ClientCall<TRequest, TResponse>)call!).Cancel(), this));
        opening = OpenAsync(CreateRequest(content, left));
    }

    private void Register(IDisposable registration)
    {
        lock (ending)
        {
            if (status is null)
            {
                registrations.Add(registration);
                return;
            }
        }

        registration.Dispose();
    }

    private HttpRequestMessage CreateRequest(HttpContent content, TimeSpan left)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(channel.Address, method.FullName))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        request.Headers.Host = host;
        if (left != Timeout.InfiniteTimeSpan)
        {
            request.Headers.TryAddWithoutValidation(ProtocolHeaders.Timeout, GrpcTimeout.Encode(left));
        }

        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        request.Headers.TryAddWithoutValidation(ProtocolHeaders.AcceptEncoding, ProtocolHeaders.Identity);

        // HttpClient joins the values of a repeated key with commas. Servers may split those of binary keys; the one of
        // gRPC core does not and refuses the request.
        foreach (var entry in options.Headers ?? Metadata.Empty)
        {
            if (!ProtocolHeaders.IsReserved(entry.Key))
            {
                request.Headers.TryAddWithoutValidation(entry.Key, MetadataHeaders.Encode(entry));
            }
        }

        if (!request.Headers.Contains("User-Agent"))
        {
            request.Headers.UserAgent.Add(UserAgent);
        }

        return request;
    }

    private async Task OpenAsync(HttpRequestMessage request)
    {
        try
        {
            var answer = await channel.SendAsync(request, transport.Token).ConfigureAwait(false);
            lock (ending)
            {
                response = answer;
            }

            if (Ended is not null)
            {
                answer.Dispose();
                return;
            }

            var given = answer.Headers.NonValidated;
            if (Refuse(answer) is { } failure)
            {
                End(failure);
            }
            else if (ReadStatus(given) is { } only)
            {
                // Trailers only: the headers are the trailers.
                var metadata = ReadMetadata(given);
                headers.TrySetResult(metadata);
                End(only, metadata);
            }
            else
            {
                reader = new MessageReader(await answer.Content.ReadAsStreamAsync(transport.Token).ConfigureAwait(false), channel.MaxReceiveMessageSize);
                headers.TrySetResult(ReadMetadata(given));
            }
        }
        catch (Exception e)
        {
            End(FromException(e));
        }
    }

    private static Status? Refuse(HttpResponseMessage answer)
    {
        if (answer.Headers.NonValidated.Contains(ProtocolHeaders.Status))
        {
            return null;
        }

        if (answer.StatusCode != HttpStatusCode.OK)
        {
            return new Status(TransportFailure.FromHttpStatus(answer.StatusCode), $"Bad gRPC response. HTTP status code: {(int)answer.StatusCode}");
        }

        var type = answer.Content.Headers.NonValidated.TryGetValues("Content-Type", out var values) ? values.ToString() : null;
        return ProtocolHeaders.IsGrpcContentType(type)
            ? null
            : new Status(StatusCode.Unknown, type is null ? "Bad gRPC response. Response did not have a content-type header." : $"Bad gRPC response. Invalid content-type value: {type}");
    }

    private static Status? ReadStatus(HttpHeadersNonValidated from) => MetadataHeaders.ReadStatus(
        from.TryGetValues(ProtocolHeaders.Status, out var code) ? code.ToString() : null,
        from.TryGetValues(ProtocolHeaders.Message, out var message) ? message.ToString() : null);

    private static Metadata ReadMetadata(HttpHeadersNonValidated from)
    {
        var metadata = new Metadata();
        foreach (var (name, values) in from)
        {
            foreach (var value in values)
            {
                MetadataHeaders.AddReceived(metadata, name, value);
            }
        }

        return metadata;
    }
}
