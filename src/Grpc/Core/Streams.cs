namespace Grpc.Core;

/// <summary>A stream of messages to read, one reader at a time.</summary>
public interface IAsyncStreamReader<out T>
{
    /// <summary>The message that the last successful <see cref="MoveNext"/> read.</summary>
    T Current { get; }

    /// <summary>Reads the next message; false at the end of the stream.</summary>
    /// <exception cref="RpcException">On a client: the call ended with another status than OK.</exception>
    Task<bool> MoveNext(CancellationToken cancellationToken);
}

/// <summary>A stream of messages to write, one write at a time.</summary>
public interface IAsyncStreamWriter<in T>
{
    /// <summary>For the messages written from now on; null: the call's.</summary>
    WriteOptions? WriteOptions { get; set; }

    /// <summary>Writes one message; done when the transport has taken it.</summary>
    Task WriteAsync(T message);

    /// <summary>As above; the token cancels the call.</summary>
    Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            throw new NotSupportedException("Cancellation of stream writes is not supported by this gRPC implementation.");
        }

        return WriteAsync(message);
    }
}

/// <summary>The requests of a client.</summary>
public interface IClientStreamWriter<in T> : IAsyncStreamWriter<T>
{
    /// <summary>Ends the requests. Nothing can be written afterwards.</summary>
    Task CompleteAsync();
}

/// <summary>The responses of a server. They end when the handler returns.</summary>
public interface IServerStreamWriter<in T> : IAsyncStreamWriter<T>
{
}
