namespace Grpc.Core;

/// <summary>What a caller chooses for one call.</summary>
public struct CallOptions
{
    /// <summary>Options of a call.</summary>
    /// <param name="headers">Metadata to send; null: none.</param>
    /// <param name="deadline">When to give up, UTC; null: never. Sent to the server as the time that remains.</param>
    /// <param name="cancellationToken">Cancels the call, on the server too.</param>
    /// <param name="writeOptions">Default for the messages that are written.</param>
    public CallOptions(Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default, WriteOptions? writeOptions = null)
    {
        Headers = headers;
        Deadline = deadline;
        CancellationToken = cancellationToken;
        WriteOptions = writeOptions;
    }

    /// <summary>Metadata to send.</summary>
    public Metadata? Headers { get; private set; }

    /// <summary>When to give up, UTC; null: never.</summary>
    public DateTime? Deadline { get; private set; }

    /// <summary>Cancels the call.</summary>
    public CancellationToken CancellationToken { get; private set; }

    /// <summary>Default for the messages that are written.</summary>
    public WriteOptions? WriteOptions { get; private set; }

    /// <summary>The same with other headers.</summary>
    public readonly CallOptions WithHeaders(Metadata headers) => this with { Headers = headers };

    /// <summary>The same with another deadline.</summary>
    public readonly CallOptions WithDeadline(DateTime deadline) => this with { Deadline = deadline };

    /// <summary>The same with another token.</summary>
    public readonly CallOptions WithCancellationToken(CancellationToken cancellationToken) => this with { CancellationToken = cancellationToken };

    /// <summary>The same with other write options.</summary>
    public readonly CallOptions WithWriteOptions(WriteOptions writeOptions) => this with { WriteOptions = writeOptions };
}
