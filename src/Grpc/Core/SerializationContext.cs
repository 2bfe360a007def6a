using System.Buffers;

namespace Grpc.Core;

/// <summary>Takes the bytes of one message: either an array by <see cref="Complete(byte[])"/>, or a buffer writer and
/// then <see cref="Complete()"/>.</summary>
public abstract class SerializationContext
{
    /// <summary>The whole message.</summary>
    public virtual void Complete(byte[] payload) => throw new NotImplementedException();

    /// <summary>Where to write the message.</summary>
    public virtual IBufferWriter<byte> GetBufferWriter() => throw new NotImplementedException();

    /// <summary>Says how many bytes will be written, before <see cref="GetBufferWriter"/>.</summary>
    public virtual void SetPayloadLength(int payloadLength)
    {
    }

    /// <summary>Everything has been written to the buffer writer.</summary>
    public virtual void Complete() => throw new NotImplementedException();
}

/// <summary>Gives the bytes of one message. Valid only while the message is being deserialized.</summary>
public abstract class DeserializationContext
{
    /// <summary>Bytes of the message.</summary>
    public abstract int PayloadLength { get; }

    /// <summary>A copy that the caller may keep.</summary>
    public virtual byte[] PayloadAsNewBuffer() => throw new NotImplementedException();

    /// <summary>The bytes in place; not to be kept.</summary>
    public virtual ReadOnlySequence<byte> PayloadAsReadOnlySequence() => throw new NotImplementedException();
}
