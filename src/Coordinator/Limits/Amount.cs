using System.Globalization;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Limits;

/// <summary>
/// So many, or so many percent of a group: <c>5</c>, <c>10%</c>. A percentage is rounded down, but is at least 1 of a group that is not
/// empty, so that a small group is not shut out by rounding; a count of 0 shuts on purpose. Percentages are 1 to 100.
/// </summary>
public readonly record struct Amount
{
    public const int MostCount = 1_000_000;

    private Amount(int value, bool isPercent) => (Value, IsPercent) = (value, isPercent);

    public int Value { get; }
    public bool IsPercent { get; }

    /// <exception cref="ArgumentOutOfRangeException">Not 0 to <see cref="MostCount"/>.</exception>
    public static Amount Count(int count) => count is >= 0 and <= MostCount
        ? new Amount(count, false) : throw new ArgumentOutOfRangeException(nameof(count), count, $"Not 0 to {MostCount}.");

    /// <exception cref="ArgumentOutOfRangeException">Not 1 to 100.</exception>
    public static Amount Percent(int percent) => percent is >= 1 and <= 100
        ? new Amount(percent, true) : throw new ArgumentOutOfRangeException(nameof(percent), percent, "Not 1 to 100.");

    /// <summary>Null, and a violation, when <paramref name="text"/> is neither a count nor a percentage in range.</summary>
    public static Amount? Parse(string text, string field, ICollection<Violation> violations)
    {
        bool percent = text.EndsWith('%');
        if (int.TryParse(percent ? text.AsSpan(0, text.Length - 1) : text, NumberStyles.None, CultureInfo.InvariantCulture, out int value))
        {
            if (percent ? value is >= 1 and <= 100 : value <= MostCount)
            {
                return new Amount(value, percent);
            }
        }

        violations.Add(new Violation(field, $"'{text}' is neither a count from 0 to {MostCount} nor a percentage from 1% to 100%."));
        return null;
    }

    /// <summary>How many of <paramref name="total"/>; may be more than there are.</summary>
    public int Of(int total) => !IsPercent ? Value : total == 0 ? 0 : Math.Max(1, (int)((long)total * Value / 100));

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture) + (IsPercent ? "%" : "");
}
