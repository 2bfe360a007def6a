using System.Globalization;
using System.Text;

namespace TwinKernel.Fleet.Probe.Writes;

/// <summary>Which writes were acknowledged. Every write has a key of its own, so that a later one cannot hide that it was lost.</summary>
internal sealed class WriteLog(string run)
{
    public const int LongestKey = 64;
    private readonly byte[] _prefix = Encoding.ASCII.GetBytes(Prefix(run));
    private ulong[] _acknowledged = new ulong[1024];

    public string KeyPrefix { get; } = Prefix(run);

    /// <summary>How many were acknowledged.</summary>
    public long Acknowledged { get; private set; }

    /// <summary>Writes the key of a write and returns its length.</summary>
    public int Key(long number, Span<byte> key)
    {
        _prefix.CopyTo(key);
        number.TryFormat(key[_prefix.Length..], out int digits, provider: null);
        return _prefix.Length + digits;
    }

    /// <summary>The same as text.</summary>
    public string Key(long number) => string.Create(CultureInfo.InvariantCulture, $"{KeyPrefix}{number}");

    public void Acknowledge(long number)
    {
        int word = checked((int)(number >> 6));
        if (word >= _acknowledged.Length)
        {
            Array.Resize(ref _acknowledged, Math.Max(word + 1, _acknowledged.Length * 2));
        }

        if (!IsAcknowledged(number))
        {
            _acknowledged[word] |= 1UL << (int)(number & 63);
            Acknowledged++;
        }
    }

    public bool IsAcknowledged(long number) => number >> 6 < _acknowledged.Length && (_acknowledged[number >> 6] & (1UL << (int)(number & 63))) != 0;

    private static string Prefix(string run) => $"twinfleet-probe:{run}:";
}
