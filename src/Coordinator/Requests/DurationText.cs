using System.Globalization;
using System.Text;
using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Requests;

/// <summary>Durations as people write them: <c>90s</c>, <c>15m</c>, <c>1h30m</c>, <c>2d</c>; elapsed time, a day is 24 hours.</summary>
public static class DurationText
{
    private static readonly (char Unit, long Seconds)[] _units = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

    /// <summary>Null when <paramref name="text"/> is no duration in whole seconds of at most ten years. Units come in falling order, each once.</summary>
    public static Duration? Parse(string text)
    {
        long seconds = 0;
        int unit = 0;
        int at = 0;
        while (at < text.Length)
        {
            int digits = at;
            while (at < text.Length && char.IsAsciiDigit(text[at]))
            {
                at++;
            }

            if (at == digits || at == text.Length
                || !int.TryParse(text.AsSpan(digits, at - digits), NumberStyles.None, CultureInfo.InvariantCulture, out int count))
            {
                return null;
            }

            while (unit < _units.Length && _units[unit].Unit != text[at])
            {
                unit++;
            }

            if (unit == _units.Length)
            {
                return null;
            }

            seconds += count * _units[unit++].Seconds;
            at++;
        }

        return text.Length == 0 || seconds > 3650L * 86_400 ? null : Duration.FromSeconds(seconds);
    }

    /// <summary>The shortest text that <see cref="Parse"/> reads as the same; parts of a second are rounded up.</summary>
    public static string Format(Duration duration)
    {
        long left = (long)Math.Ceiling(duration.TotalSeconds);
        StringBuilder text = new();
        foreach ((char unit, long seconds) in _units)
        {
            if (left >= seconds)
            {
                text.Append(CultureInfo.InvariantCulture, $"{left / seconds}{unit}");
                left %= seconds;
            }
        }

        return text.Length == 0 ? "0s" : text.ToString();
    }

    /// <summary>Null text gives <paramref name="absent"/>; what is no duration, or none from <paramref name="least"/> to <paramref name="most"/>, is a violation.</summary>
    internal static Duration Read(
        string? text, string field, Duration absent, Duration least, Duration most, ICollection<Violation> violations)
    {
        if (text is null)
        {
            return absent;
        }

        if (Parse(text) is { } duration && duration >= least && duration <= most)
        {
            return duration;
        }

        violations.Add(new Violation(
            field, $"'{text}' is no duration from {Format(least)} to {Format(most)}, such as 90s, 15m, 1h30m or 2d."));
        return absent;
    }
}
