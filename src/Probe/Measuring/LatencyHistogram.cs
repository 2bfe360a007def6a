using System.Numerics;

namespace TwinKernel.Fleet.Probe.Measuring;

/// <summary>
/// Counts times in log-linear buckets: 128 of equal width for every power of two. What it gives for a percentile is never below the
/// exact value and above it by less than <see cref="RelativeError"/> of it; below 256 ns, and for the maximum, it is exact. Not thread safe.
/// </summary>
public sealed class LatencyHistogram
{
    /// <summary>The bound of what a percentile is told too high, as a part of the exact value.</summary>
    public const double RelativeError = 1.0 / (1 << WidthBits);

    private const int WidthBits = 7;
    private const int Buckets = (63 - WidthBits + 1) << WidthBits;
    private readonly long[] _counts = new long[Buckets];

    /// <summary>Times counted.</summary>
    public long Count { get; private set; }

    /// <summary>The longest, exactly; 0 when there is none.</summary>
    public long Max { get; private set; }

    /// <param name="nanoseconds">A time; below 0 counts as 0.</param>
    public void Add(long nanoseconds)
    {
        nanoseconds = Math.Max(0, nanoseconds);
        _counts[Bucket(nanoseconds)]++;
        Count++;
        Max = Math.Max(Max, nanoseconds);
    }

    /// <summary>
    /// The least time, rounded up to the end of its bucket, that <paramref name="percent"/> of all do not exceed (nearest rank); 0 when there is none.
    /// </summary>
    /// <param name="percent">Above 0, at most 100.</param>
    public long Percentile(decimal percent)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(percent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        long left = (long)Math.Ceiling(Count * percent / 100);
        for (int bucket = 0; bucket < Buckets && left > 0; bucket++)
        {
            left -= _counts[bucket];
            if (left <= 0)
            {
                return Math.Min(End(bucket), Max);
            }
        }

        return 0;
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        Array.Clear(_counts);
        (Count, Max) = (0, 0);
    }

    private static int Bucket(long value)
    {
        int shift = Math.Max(0, 63 - BitOperations.LeadingZeroCount((ulong)value | 1) - WidthBits);
        return (shift << WidthBits) + (int)(value >> shift);
    }

    private static long End(int bucket)
    {
        int shift = Math.Max(0, (bucket >> WidthBits) - 1);
        long first = bucket - ((long)shift << WidthBits);
        return ((first + 1) << shift) - 1;
    }
}
