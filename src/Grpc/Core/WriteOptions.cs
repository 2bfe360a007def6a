namespace Grpc.Core;

/// <summary>How a message is written.</summary>
[Flags]
public enum WriteFlags
{
    /// <summary>The message may be held back until the next one or the end of the stream.</summary>
    BufferHint = 0x1,

    /// <summary>Do not compress this message. Nothing is ever compressed here.</summary>
    NoCompress = 0x2,
}

/// <summary>Options for the messages of a stream.</summary>
public class WriteOptions(WriteFlags flags = default)
{
    /// <summary>No flags.</summary>
    public static readonly WriteOptions Default = new();

    /// <summary>The flags.</summary>
    public WriteFlags Flags { get; } = flags;
}
