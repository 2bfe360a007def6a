using System.Buffers;
using System.Buffers.Binary;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>One message with its five bytes of prefix (not compressed, length) in a pooled buffer.</summary>
internal sealed class MessageWriter : SerializationContext, IBufferWriter<byte>, IDisposable
{
    public const int PrefixBytes = 5;

    private byte[] buffer = ArrayPool<byte>.Shared.Rent(512);
    private int end = PrefixBytes;
    private bool completed;

    /// <summary>Serializes a message; dispose the result when the transport has taken it.</summary>
    /// <exception cref="RpcException">Larger than <paramref name="maxBytes"/>: RESOURCE_EXHAUSTED. The marshaller
    /// did not complete: INTERNAL.</exception>
    public static MessageWriter Serialize<T>(Marshaller<T> marshaller, T message, int? maxBytes)
    {
        var writer = new MessageWriter();
        try
        {
            marshaller.ContextualSerializer(message, writer);
            if (!writer.completed)
            {
                throw new RpcException(new Status(StatusCode.Internal, "The marshaller did not complete the message."));
            }

            var length = writer.end - PrefixBytes;
            if (length > maxBytes)
            {
                throw new RpcException(new Status(StatusCode.ResourceExhausted, $"Sending message of {length} bytes exceeds the maximum configured message size of {maxBytes} bytes."));
            }

            writer.buffer[0] = 0;
            BinaryPrimitives.WriteUInt32BigEndian(writer.buffer.AsSpan(1), (uint)length);
            return writer;
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>Prefix and message.</summary>
    public ReadOnlyMemory<byte> Frame => buffer.AsMemory(0, end);

    public override void Complete(byte[] payload)
    {
        Reserve(payload.Length);
        payload.CopyTo(buffer, end);
        end += payload.Length;
        Complete();
    }

    public override IBufferWriter<byte> GetBufferWriter() => this;

    public override void SetPayloadLength(int payloadLength) => Reserve(payloadLength);

    public override void Complete() => completed = !completed ? true : throw new InvalidOperationException("The message has been completed before.");

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, buffer.Length - end);
        end += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return buffer.AsMemory(end);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public void Dispose()
    {
        if (buffer.Length != 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = [];
        }
    }

    private void Reserve(int bytes)
    {
        if (buffer.Length - end >= bytes)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(end + bytes), (int)Math.Min(buffer.Length * 2L, Array.MaxLength)));
        buffer.AsSpan(0, end).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }
}
