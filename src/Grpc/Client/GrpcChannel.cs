using Grpc.Core;
using Grpc.Net.Client.Calls;

namespace Grpc.Net.Client;

/// <summary>A channel over HTTP/2: clear text with prior knowledge for <c>http://</c>, TLS for <c>https://</c>.
/// Connections are made when a call needs one, and made again after a failure.</summary>
public sealed class GrpcChannel : ChannelBase, IDisposable
{
    private readonly HttpMessageInvoker invoker;
    private readonly bool disposeInvoker;
    private readonly CancellationTokenSource shutdown = new();
    private int disposed;

    private GrpcChannel(Uri address, GrpcChannelOptions options)
        : base(address.Authority)
    {
        if (options is { HttpClient: not null, HttpHandler: not null })
        {
            throw new ArgumentException("HttpClient and HttpHandler have been configured. Only one HTTP caller can be specified.", nameof(options));
        }

        Address = address;
        MaxReceiveMessageSize = options.MaxReceiveMessageSize;
        MaxSendMessageSize = options.MaxSendMessageSize;
        var given = options.HttpClient is not null || options.HttpHandler is not null;
        disposeInvoker = !given || options.DisposeHttpClient;
        invoker = options.HttpClient ?? new HttpMessageInvoker(options.HttpHandler ?? CreateHandler(), disposeInvoker);
    }

    internal Uri Address { get; }

    internal int? MaxReceiveMessageSize { get; }

    internal int? MaxSendMessageSize { get; }

    internal CancellationToken Shutdown => shutdown.Token;

    /// <summary>A channel to <c>http://host:port</c> or <c>https://host:port</c>. Does not connect yet.</summary>
    /// <exception cref="ArgumentException">The address is no such URI.</exception>
    public static GrpcChannel ForAddress(string address) => ForAddress(address, new GrpcChannelOptions());

    /// <inheritdoc cref="ForAddress(string)"/>
    public static GrpcChannel ForAddress(string address, GrpcChannelOptions channelOptions)
    {
        ArgumentNullException.ThrowIfNull(address);
        return Uri.TryCreate(address, UriKind.Absolute, out var uri)
            ? ForAddress(uri, channelOptions)
            : throw new ArgumentException($"The address \"{address}\" is not of the form http://host:port.", nameof(address));
    }

    /// <inheritdoc cref="ForAddress(string)"/>
    public static GrpcChannel ForAddress(Uri address) => ForAddress(address, new GrpcChannelOptions());

    /// <inheritdoc cref="ForAddress(string)"/>
    public static GrpcChannel ForAddress(Uri address, GrpcChannelOptions channelOptions)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(channelOptions);
        return address.IsAbsoluteUri && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps)
            ? new GrpcChannel(address, channelOptions)
            : throw new ArgumentException($"The address \"{address}\" is not of the form http://host:port.", nameof(address));
    }

    /// <inheritdoc/>
    public override CallInvoker CreateCallInvoker()
    {
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        return new HttpCallInvoker(this);
    }

    /// <summary>Cancels the calls that are under way and closes the connections that are the channel's own.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        shutdown.Cancel();
        if (disposeInvoker)
        {
            invoker.Dispose();
        }
    }

    /// <inheritdoc/>
    protected override Task ShutdownAsyncCore()
    {
        Dispose();
        return Task.CompletedTask;
    }

    internal Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        return invoker is HttpClient client
            ? client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken)
            : invoker.SendAsync(request, cancellationToken);
    }

    private static SocketsHttpHandler CreateHandler() => new()
    {
        EnableMultipleHttp2Connections = true,
        AllowAutoRedirect = false,
        UseCookies = false,
    };
}
