using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client.Calls;

/// <summary>The requests of a call, one write at a time.</summary>
internal sealed class RequestStream<TRequest, TResponse>(ClientCall<TRequest, TResponse> call, Marshaller<TRequest> marshaller, MessageStreamContent content, int? maxBytes) : IClientStreamWriter<TRequest>
    where TRequest : class
    where TResponse : class
{
    private static readonly TimeSpan StatusPatience = TimeSpan.FromSeconds(5);

    private int writing;
    private bool completed;

    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (completed)
        {
            throw new InvalidOperationException("Request stream has already been completed.");
        }

        if (Interlocked.Exchange(ref writing, 1) != 0)
        {
            throw new InvalidOperationException("Can't write the message because the previous write is in progress.");
        }

        try
        {
            using var registration = cancellationToken.UnsafeRegister(static call => ((ClientCall<TRequest, TResponse>)call!).Cancel(), call);
            using var frame = MessageWriter.Serialize(marshaller, message, maxBytes);
            var stream = await content.Opened.ConfigureAwait(false);
            await stream.WriteAsync(frame.Frame, call.Transport).ConfigureAwait(false);
            if (((WriteOptions?.Flags ?? default) & WriteFlags.BufferHint) == 0)
            {
                await stream.FlushAsync(call.Transport).ConfigureAwait(false);
            }
        }
        catch (RpcException e)
        {
            call.End(e.Status);
            throw;
        }
        catch (Exception e)
        {
            throw await FailureAsync(e).ConfigureAwait(false);
        }
        finally
        {
            Volatile.Write(ref writing, 0);
        }
    }

    public Task CompleteAsync()
    {
        completed = true;
        content.Complete();
        return Task.CompletedTask;
    }

    /// <summary>
    /// The call's status, not what the write met: a server that ends a call early resets the stream of requests. Where
    /// the caller reads the responses, their status waits for that caller.
    /// </summary>
    private async Task<Exception> FailureAsync(Exception exception)
    {
        if (call.ReadsOnItsOwn)
        {
            await Task.WhenAny(call.Completion, Task.Delay(StatusPatience)).ConfigureAwait(false);
        }

        return call.Ended switch
        {
            null => new RpcException(call.FromException(exception), "The requests cannot be written any more; the responses tell why."),
            { StatusCode: StatusCode.OK } => new InvalidOperationException("Can't write the message because the call is complete.", exception),
            _ => call.Failure(),
        };
    }
}
