using Grpc.Core;

namespace Grpc.Net.Client.Calls;

/// <summary>The responses of a call, one read at a time.</summary>
internal sealed class ResponseStream<TRequest, TResponse>(ClientCall<TRequest, TResponse> call) : IAsyncStreamReader<TResponse>
    where TRequest : class
    where TResponse : class
{
    private TResponse? current;
    private int reading;

    public TResponse Current => current ?? throw new InvalidOperationException("No message: MoveNext has not returned true.");

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref reading, 1) != 0)
        {
            throw new InvalidOperationException("Can't read the next message because the previous read is still in progress.");
        }

        try
        {
            current = null;
            using (cancellationToken.UnsafeRegister(static call => ((ClientCall<TRequest, TResponse>)call!).Cancel(), call))
            {
                current = await call.ReadAsync().ConfigureAwait(false);
            }

            if (current is not null)
            {
                return true;
            }

            return call.GetStatus().StatusCode == StatusCode.OK ? false : throw call.Failure();
        }
        finally
        {
            Volatile.Write(ref reading, 0);
        }
    }
}
