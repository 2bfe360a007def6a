using System.Buffers;
using System.Buffers.Binary;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>Takes messages from a stream of prefixed messages. One read at a time.</summary>
internal sealed class MessageReader(Stream stream, int? maxBytes)
{
    private readonly byte[] prefix = new byte[MessageWriter.PrefixBytes];

    /// <summary>The next message; null at the end of the stream.</summary>
    /// <exception cref="RpcException">The stream ends inside a message, or a message cannot be deserialized:
    /// INTERNAL. It is compressed: UNIMPLEMENTED. It is larger than the limit: RESOURCE_EXHAUSTED.</exception>
    public async ValueTask<T?> ReadAsync<T>(Marshaller<T> marshaller, CancellationToken cancellationToken)
        where T : class
    {
        var read = await stream.ReadAtLeastAsync(prefix, prefix.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (read == 0)
        {
            return null;
        }

        if (read < prefix.Length)
        {
            throw Failure(StatusCode.Internal, "Incomplete message: the stream ended inside a message's prefix.");
        }

        if (prefix[0] == 1)
        {
            throw Failure(StatusCode.Unimplemented, "The message is compressed; only the identity encoding is supported.");
        }

        if (prefix[0] != 0)
        {
            throw Failure(StatusCode.Internal, $"The message's compressed flag is {prefix[0]}, neither 0 nor 1.");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
        if (length > (uint)(maxBytes ?? Array.MaxLength))
        {
            throw Failure(StatusCode.ResourceExhausted, $"Received message of {length} bytes exceeds the maximum configured message size of {maxBytes ?? Array.MaxLength} bytes.");
        }

        var buffer = ArrayPool<byte>.Shared.Rent((int)length);
        try
        {
            read = await stream.ReadAtLeastAsync(buffer.AsMemory(0, (int)length), (int)length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            if (read < length)
            {
                throw Failure(StatusCode.Internal, $"Incomplete message: {read} of {length} bytes came.");
            }

            return Deserialize(marshaller, buffer.AsMemory(0, (int)length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static T Deserialize<T>(Marshaller<T> marshaller, ReadOnlyMemory<byte> payload)
    {
        try
        {
            return marshaller.ContextualDeserializer(new Payload(payload));
        }
        catch (Exception e)
        {
            throw new RpcException(new Status(StatusCode.Internal, "The message cannot be deserialized.", e));
        }
    }

    private static RpcException Failure(StatusCode code, string detail) => new(new Status(code, detail));

    private sealed class Payload(ReadOnlyMemory<byte> bytes) : DeserializationContext
    {
        public override int PayloadLength => bytes.Length;

        public override byte[] PayloadAsNewBuffer() => bytes.ToArray();

        public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => new(bytes);
    }
}
