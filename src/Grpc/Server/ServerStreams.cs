using Grpc.Core;

namespace Grpc.AspNetCore.Server.Calls;

/// <summary>The requests of a call.</summary>
internal sealed class RequestReader<TRequest>(HttpServerCall call, Marshaller<TRequest> marshaller) : IAsyncStreamReader<TRequest>
    where TRequest : class
{
    private TRequest? current;
    private bool ended;

    public TRequest Current => current ?? throw new InvalidOperationException("No message: MoveNext has not returned true.");

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        current = ended ? null : await call.ReadAsync(marshaller, cancellationToken).ConfigureAwait(false);
        ended = current is null;
        return !ended;
    }
}

/// <summary>The responses of a call.</summary>
internal sealed class ResponseWriter<TResponse>(HttpServerCall call, Marshaller<TResponse> marshaller) : IServerStreamWriter<TResponse>
    where TResponse : class
{
    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(TResponse message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(TResponse message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        return call.WriteAsync(marshaller, message, cancellationToken);
    }
}
