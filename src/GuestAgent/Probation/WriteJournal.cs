using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace TwinKernel.Fleet.GuestAgent.Probation;

/// <summary>
/// What a service has executed in kernel B's probation, in memory that outlives kernel B. Kernel A lays it out as it parks: from which offset of the
/// replication's stream on. Kernel B appends. Whatever ends kernel B in the middle of an append, what was published before it is whole.
/// <para>
/// A header (64 bytes, with a checksum), the published length alone in a cache line of its own, then records: length, checksum, bytes, padded
/// to 8. A record counts when the length that is behind it was published, one store of eight bytes.
/// </para>
/// </summary>
internal sealed unsafe class WriteJournal
{
    public const int SmallestBytes = 4096;
    public const long NotReplayed = -1;
    public const long Replayed = -2;

    private const ulong Magic = 0x4c4e524a4e495754; // "TWINJRNL"
    private const int BootIdAt = 8;
    private const int StartAt = 24;
    private const int HeaderSumAt = 32;
    private const int ReplayedAt = 40;
    private const int PublishedAt = 64;
    private const int RecordsAt = 128;
    private const int RecordHeader = 8;

    /// <summary>Less room than this, and no more writes should be let in: those under way must fit.</summary>
    private const int Reserve = 8;

    private readonly byte* _memory;
    private readonly long _room;
    private long _end = -1;

    /// <param name="memory">Zeroed, or a journal. Shared with the other kernel, aligned to 64.</param>
    /// <param name="bytes"><see cref="SmallestBytes"/> or more.</param>
    public WriteJournal(void* memory, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, SmallestBytes);
        _memory = (byte*)memory;
        _room = bytes - RecordsAt;
    }

    /// <summary>There is one: laid out, its header as it was written, and not discarded.</summary>
    public bool IsLaidOut => Volatile.Read(ref *(ulong*)_memory) == Magic && *(uint*)(_memory + HeaderSumAt) == Sum(Header, 0);

    /// <summary>Boot id of the kernel that laid it out and may replay it.</summary>
    public Guid ReplayedBy => new(new ReadOnlySpan<byte>(_memory + BootIdAt, 16));

    /// <summary>Offset of the stream behind which it begins.</summary>
    public long Start => *(long*)(_memory + StartAt);

    /// <summary>Offset of the stream up to which it holds everything.</summary>
    public long End => _end >= 0 ? _end : _end = Start + Records(null, out _);

    /// <summary>Seven eighths are used.</summary>
    public bool IsNearlyFull => Published > (ulong)(_room - (_room / Reserve));

    /// <summary>What the replaying service had executed when it began, by its own count: how far it is in here follows from what it has now.
    /// <see cref="NotReplayed"/>, <see cref="Replayed"/>: before and behind.</summary>
    public long ReplayedFrom
    {
        get => Volatile.Read(ref *(long*)(_memory + ReplayedAt));
        set => Volatile.Write(ref *(long*)(_memory + ReplayedAt), value);
    }

    private Span<byte> Header => new(_memory + BootIdAt, HeaderSumAt - BootIdAt);

    private ulong Published => Volatile.Read(ref *(ulong*)(_memory + PublishedAt));

    /// <summary>Makes it an empty one.</summary>
    /// <param name="bootId">Of this kernel.</param>
    /// <param name="start">What this kernel's service has executed.</param>
    public void LayOut(Guid bootId, long start)
    {
        Discard();
        *(ulong*)(_memory + PublishedAt) = 0;
        bootId.TryWriteBytes(new Span<byte>(_memory + BootIdAt, 16));
        *(long*)(_memory + StartAt) = start;
        *(uint*)(_memory + HeaderSumAt) = Sum(Header, 0);
        ReplayedFrom = NotReplayed;
        Volatile.Write(ref *(ulong*)_memory, Magic);
    }

    /// <summary>There is none any more. Idempotent.</summary>
    public void Discard()
    {
        Volatile.Write(ref *(ulong*)_memory, 0);
        _end = -1;
    }

    /// <summary>The stream's next bytes are here when this returns, whatever happens to this kernel.</summary>
    /// <exception cref="IOException">It is full; nothing was added.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        long end = End;
        ulong at = Published;
        long size = Size((uint)bytes.Length);
        if (bytes.IsEmpty || size > _room - (long)at)
        {
            throw new IOException($"the journal is full: {_room - (long)at} of {_room} bytes are left, and {size} are needed");
        }

        byte* record = _memory + RecordsAt + at;
        *(uint*)record = (uint)bytes.Length;
        *(uint*)(record + sizeof(uint)) = Sum(bytes, end);
        bytes.CopyTo(new Span<byte>(record + RecordHeader, bytes.Length));
        Volatile.Write(ref *(ulong*)(_memory + PublishedAt), at + (ulong)size);
        _end = end + bytes.Length;
    }

    /// <summary>All that is in it.</summary>
    /// <param name="damaged">Bytes of records behind the first that is not what was written; they are left out. 0: it is whole.</param>
    public byte[] Contents(out long damaged)
    {
        using MemoryStream contents = new();
        Records(contents, out damaged);
        return contents.ToArray();
    }

    /// <returns>How many bytes of the stream.</returns>
    private long Records(Stream? target, out long damaged)
    {
        ulong published = Math.Min(Published, (ulong)_room);
        long length = 0;
        ulong at = 0;
        while (at + RecordHeader <= published)
        {
            byte* record = _memory + RecordsAt + at;
            uint bytes = *(uint*)record;
            if (bytes > int.MaxValue || (ulong)Size(bytes) > published - at)
            {
                break;
            }

            ReadOnlySpan<byte> contents = new(record + RecordHeader, (int)bytes);
            if (*(uint*)(record + sizeof(uint)) != Sum(contents, Start + length))
            {
                break;
            }

            target?.Write(contents);
            length += bytes;
            at += (ulong)Size(bytes);
        }

        damaged = (long)(published - at);
        return length;
    }

    private static long Size(uint bytes) => RecordHeader + ((bytes + 7L) & ~7L);

    /// <summary>CRC-32C, with where the bytes belong in it.</summary>
    private static uint Sum(ReadOnlySpan<byte> bytes, long place)
    {
        uint sum = BitOperations.Crc32C(uint.MaxValue, (ulong)place);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            sum = BitOperations.Crc32C(sum, word);
        }

        foreach (byte rest in bytes[(words.Length * sizeof(ulong))..])
        {
            sum = BitOperations.Crc32C(sum, rest);
        }

        return ~sum;
    }
}
