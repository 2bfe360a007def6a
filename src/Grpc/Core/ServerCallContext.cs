namespace Grpc.Core;

/// <summary>What a handler knows of its call, and what it can say besides the response.</summary>
public abstract class ServerCallContext
{
    private Dictionary<object, object>? userState;

    /// <summary>The path of the request: <c>/service/method</c>.</summary>
    public string Method => MethodCore;

    /// <summary>The authority that the caller asked for.</summary>
    public string Host => HostCore;

    /// <summary>The caller's address: <c>ipv4:127.0.0.1:1234</c>.</summary>
    public string Peer => PeerCore;

    /// <summary>When the caller gives up, UTC; <see cref="DateTime.MaxValue"/>: never.</summary>
    public DateTime Deadline => DeadlineCore;

    /// <summary>The caller's metadata.</summary>
    public Metadata RequestHeaders => RequestHeadersCore;

    /// <summary>Cancelled when the caller is gone, cancels, or its deadline has passed.</summary>
    public CancellationToken CancellationToken => CancellationTokenCore;

    /// <summary>Sent with the status.</summary>
    public Metadata ResponseTrailers => ResponseTrailersCore;

    /// <summary>The status that the call ends with when the handler returns.</summary>
    public Status Status
    {
        get => StatusCore;
        set => StatusCore = value;
    }

    /// <summary>Default for the messages that are written.</summary>
    public WriteOptions? WriteOptions
    {
        get => WriteOptionsCore;
        set => WriteOptionsCore = value;
    }

    /// <summary>Who the caller is, as the transport knows it.</summary>
    public AuthContext AuthContext => AuthContextCore;

    /// <summary>Anything, for the time of the call.</summary>
    public IDictionary<object, object> UserState => UserStateCore;

    /// <summary>Override for <see cref="Method"/>.</summary>
    protected abstract string MethodCore { get; }

    /// <summary>Override for <see cref="Host"/>.</summary>
    protected abstract string HostCore { get; }

    /// <summary>Override for <see cref="Peer"/>.</summary>
    protected abstract string PeerCore { get; }

    /// <summary>Override for <see cref="Deadline"/>.</summary>
    protected abstract DateTime DeadlineCore { get; }

    /// <summary>Override for <see cref="RequestHeaders"/>.</summary>
    protected abstract Metadata RequestHeadersCore { get; }

    /// <summary>Override for <see cref="CancellationToken"/>.</summary>
    protected abstract CancellationToken CancellationTokenCore { get; }

    /// <summary>Override for <see cref="ResponseTrailers"/>.</summary>
    protected abstract Metadata ResponseTrailersCore { get; }

    /// <summary>Override for <see cref="Status"/>.</summary>
    protected abstract Status StatusCore { get; set; }

    /// <summary>Override for <see cref="WriteOptions"/>.</summary>
    protected abstract WriteOptions? WriteOptionsCore { get; set; }

    /// <summary>Override for <see cref="AuthContext"/>.</summary>
    protected abstract AuthContext AuthContextCore { get; }

    /// <summary>Override for <see cref="UserState"/>.</summary>
    protected virtual IDictionary<object, object> UserStateCore => userState ??= [];

    /// <summary>Sends the response's headers now, once, before the first message.</summary>
    /// <exception cref="InvalidOperationException">They have been sent.</exception>
    public Task WriteResponseHeadersAsync(Metadata responseHeaders) => WriteResponseHeadersAsyncCore(responseHeaders);

    /// <summary>Override for <see cref="WriteResponseHeadersAsync"/>.</summary>
    protected abstract Task WriteResponseHeadersAsyncCore(Metadata responseHeaders);
}
