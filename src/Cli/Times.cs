using System.Globalization;

namespace TwinKernel.Fleet.Cli;

/// <summary>Times on the command line.</summary>
internal static class Times
{
    /// <summary>What is taken, for people.</summary>
    public const string Form = "a time above zero and of at most 168h, such as 20ms, 90s, 5m or 1h";

    /// <summary>A number and a unit: ms, s, m or h; without one, seconds.</summary>
    public static bool TryParse(string text, out TimeSpan time)
    {
        var number = text.TrimEnd("msh".ToCharArray());
        double seconds = text[number.Length..] switch { "ms" => 1e-3, "s" or "" => 1, "m" => 60, "h" => 3600, _ => 0 };
        var valid = double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            && value * seconds is >= 1e-7 and <= 7 * 24 * 3600;
        time = valid ? TimeSpan.FromSeconds(value * seconds) : default;
        return valid;
    }
}
