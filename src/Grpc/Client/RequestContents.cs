using System.Net;
using System.Net.Http.Headers;
using Grpc.Wire;

namespace Grpc.Net.Client.Calls;

/// <summary>The one message of a unary request. The transport may send it again on another connection.</summary>
internal sealed class SingleMessageContent : HttpContent
{
    private readonly byte[] frame;

    public SingleMessageContent(byte[] frame)
    {
        this.frame = frame;
        Headers.ContentType = new MediaTypeHeaderValue(ProtocolHeaders.ContentType);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        stream.WriteAsync(frame, cancellationToken).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        length = -1;
        return false;
    }
}

/// <summary>Lends the transport's stream to the writer of a request stream, until that one is done with it.</summary>
internal sealed class MessageStreamContent : HttpContent
{
    private readonly TaskCompletionSource<Stream> opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public MessageStreamContent() => Headers.ContentType = new MediaTypeHeaderValue(ProtocolHeaders.ContentType);

    /// <summary>The transport's stream; cancelled when the call ends before there is one.</summary>
    public Task<Stream> Opened => opened.Task;

    /// <summary>No message will follow.</summary>
    public void Complete() => ended.TrySetResult();

    /// <summary>The call is over. The transport resets the stream if it is still open.</summary>
    public void Abort()
    {
        opened.TrySetCanceled();
        ended.TrySetCanceled();
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // The server sees the call before the first message.
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        if (!opened.TrySetResult(stream))
        {
            throw new HttpRequestException("The call has ended, or its requests have been sent on another connection.");
        }

        await ended.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = -1;
        return false;
    }
}
