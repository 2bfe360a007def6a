namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>Bytes that wait, in one piece.</summary>
internal sealed class ByteQueue
{
    private byte[] _bytes = new byte[4096];
    private int _begin;
    private int _end;

    public int Length => _end - _begin;

    public ReadOnlySpan<byte> Waiting => _bytes.AsSpan(_begin, Length);

    /// <summary>Room behind the last; what was put there counts from <see cref="Put"/> on.</summary>
    public Span<byte> Room(int bytes)
    {
        if (_bytes.Length - _end < bytes)
        {
            byte[] target = Length + bytes <= _bytes.Length ? _bytes : new byte[Math.Max(_bytes.Length * 2, Length + bytes)];
            Waiting.CopyTo(target);
            (_bytes, _begin, _end) = (target, 0, Length);
        }

        return _bytes.AsSpan(_end);
    }

    public void Put(int bytes) => _end += bytes;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        Put(bytes.Length);
    }

    public void Append(long number)
    {
        number.TryFormat(Room(20), out int bytes, provider: null);
        Put(bytes);
    }

    public void Take(int bytes)
    {
        _begin += bytes;
        if (_begin == _end)
        {
            Clear();
        }
    }

    public void Clear() => (_begin, _end) = (0, 0);
}
