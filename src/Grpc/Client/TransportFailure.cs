using System.Net;
using Grpc.Core;

namespace Grpc.Net.Client.Calls;

/// <summary>Statuses for what is not a gRPC answer.</summary>
internal static class TransportFailure
{
    /// <summary>doc/http-grpc-status-mapping.md.</summary>
    public static StatusCode FromHttpStatus(HttpStatusCode status) => status switch
    {
        HttpStatusCode.BadRequest => StatusCode.Internal,
        HttpStatusCode.Unauthorized => StatusCode.Unauthenticated,
        HttpStatusCode.Forbidden => StatusCode.PermissionDenied,
        HttpStatusCode.NotFound => StatusCode.Unimplemented,
        HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    /// <summary>What an exception of the HTTP client means for the call.</summary>
    public static Status FromException(Exception exception)
    {
        var detail = $"Error in the transport of the gRPC call. {Describe(exception)}";
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is HttpProtocolException protocol)
            {
                return new Status(FromErrorCode(protocol.ErrorCode), detail, exception);
            }
        }

        var code = exception switch
        {
            OperationCanceledException => StatusCode.Cancelled,
            HttpRequestException or IOException or ObjectDisposedException => StatusCode.Unavailable,
            _ => StatusCode.Internal,
        };
        return new Status(code, detail, exception);
    }

    /// <summary>
    /// HTTP/2 error codes, "Errors" of doc/PROTOCOL-HTTP2.md, but for NO_ERROR: it comes with the GOAWAY of a server that is going, where the
    /// call was not taken on and may be made again. The reset of one stream looks the same from here.
    /// </summary>
    private static StatusCode FromErrorCode(long errorCode) => errorCode switch
    {
        0x0 => StatusCode.Unavailable,
        0x7 => StatusCode.Unavailable,
        0x8 => StatusCode.Cancelled,
        0xb => StatusCode.ResourceExhausted,
        0xc => StatusCode.PermissionDenied,
        _ => StatusCode.Internal,
    };

    private static string Describe(Exception exception)
    {
        List<string> parts = [];
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (parts.Count == 0 || !parts[^1].Contains(e.Message, StringComparison.Ordinal))
            {
                parts.Add($"{e.GetType().Name}: {e.Message}");
            }
        }

        return string.Join(" ", parts);
    }
}
