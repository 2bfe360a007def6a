using Grpc.Wire;

namespace Grpc.AspNetCore.Server;

/// <summary>Options of all gRPC services of an application.</summary>
public class GrpcServiceOptions
{
    /// <summary>Largest message that is accepted, in bytes; null: no limit. Default: 4 MiB.</summary>
    public int? MaxReceiveMessageSize { get; set; } = ProtocolHeaders.DefaultMaxReceiveMessageSize;

    /// <summary>Largest message that is sent, in bytes; null: no limit. Default: null.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>Whether a caller is told the message of a handler's exception. Default: no.</summary>
    public bool? EnableDetailedErrors { get; set; }

    /// <summary>Whether calls of unknown services and methods are left to other endpoints, not answered with
    /// UNIMPLEMENTED. Default: no.</summary>
    public bool? IgnoreUnknownServices { get; set; }
}
