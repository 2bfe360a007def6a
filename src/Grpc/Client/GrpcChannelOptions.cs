using Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>Options of a channel.</summary>
public sealed class GrpcChannelOptions
{
    /// <summary>Carries the requests; null: a <see cref="SocketsHttpHandler"/> of the channel's own. Only one of this
    /// and <see cref="HttpClient"/>.</summary>
    public HttpMessageHandler? HttpHandler { get; set; }

    /// <summary>Carries the requests instead of a handler. Its Timeout holds for whole calls.</summary>
    public HttpClient? HttpClient { get; set; }

    /// <summary>Whether the channel disposes the handler or client that it was given. Default: no.</summary>
    public bool DisposeHttpClient { get; set; }

    /// <summary>Largest message that is accepted, in bytes; null: no limit. Default: 4 MiB.</summary>
    public int? MaxReceiveMessageSize { get; set; } = ProtocolHeaders.DefaultMaxReceiveMessageSize;

    /// <summary>Largest message that is sent, in bytes; null: no limit. Default: null.</summary>
    public int? MaxSendMessageSize { get; set; }
}
