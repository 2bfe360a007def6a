using System.Globalization;

namespace Grpc.Wire;

/// <summary>The time that is left to a call, as a header: at most eight digits and a unit.</summary>
internal static class GrpcTimeout
{
    private const long MaxValue = 99_999_999;

    /// <summary>In the finest unit that holds it, rounded up so that a server never gives up before its client.</summary>
    public static string Encode(TimeSpan timeout)
    {
        if (timeout <= TimeSpan.Zero)
        {
            return "1n";
        }

        ReadOnlySpan<(char Unit, long Ticks)> units =
        [
            ('u', TimeSpan.TicksPerMicrosecond),
            ('m', TimeSpan.TicksPerMillisecond),
            ('S', TimeSpan.TicksPerSecond),
            ('M', TimeSpan.TicksPerMinute),
        ];

        foreach (var (unit, ticks) in units)
        {
            var value = ((timeout.Ticks - 1) / ticks) + 1;
            if (value <= MaxValue)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{value}{unit}");
            }
        }

        var hours = Math.Min(((timeout.Ticks - 1) / TimeSpan.TicksPerHour) + 1, MaxValue);
        return string.Create(CultureInfo.InvariantCulture, $"{hours}H");
    }

    /// <summary>False when the header is malformed.</summary>
    public static bool TryDecode(string header, out TimeSpan timeout)
    {
        timeout = TimeSpan.Zero;
        if (header.Length is < 2 or > 9 || !long.TryParse(header.AsSpan(0, header.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var value))
        {
            return false;
        }

        switch (header[^1])
        {
            case 'n':
                timeout = TimeSpan.FromTicks((value + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick);
                return true;
            case 'u':
                timeout = TimeSpan.FromTicks(value * TimeSpan.TicksPerMicrosecond);
                return true;
            case 'm':
                timeout = TimeSpan.FromTicks(value * TimeSpan.TicksPerMillisecond);
                return true;
            case 'S':
                timeout = TimeSpan.FromTicks(value * TimeSpan.TicksPerSecond);
                return true;
            case 'M':
                timeout = TimeSpan.FromTicks(value * TimeSpan.TicksPerMinute);
                return true;
            case 'H':
                timeout = TimeSpan.FromTicks(value * TimeSpan.TicksPerHour);
                return true;
            default:
                return false;
        }
    }
}
