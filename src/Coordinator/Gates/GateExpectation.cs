using System.Globalization;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Gates;

/// <summary>How a value is compared.</summary>
public enum Comparison
{
    Less = 1,
    AtMost = 2,
    More = 3,
    AtLeast = 4,
    Equal = 5,
    NotEqual = 6,
}

/// <summary>What the values of a query's answer must satisfy: <c>&lt; 0.01</c>.</summary>
public sealed record GateExpectation(Comparison Comparison, double Bound)
{
    /* A sign that begins with another stands before it. */
    private static readonly (string Sign, Comparison Comparison)[] _signs =
    [
        ("<=", Comparison.AtMost), (">=", Comparison.AtLeast), ("==", Comparison.Equal), ("!=", Comparison.NotEqual),
        ("<", Comparison.Less), (">", Comparison.More),
    ];

    public static GateExpectation? Parse(string text, string field, ICollection<Violation> violations)
    {
        string trimmed = text.Trim();
        (string? sign, Comparison comparison) = _signs.FirstOrDefault(one => trimmed.StartsWith(one.Sign, StringComparison.Ordinal));
        if (sign is not null
            && double.TryParse(trimmed.AsSpan(sign.Length).Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double bound)
            && double.IsFinite(bound))
        {
            return new GateExpectation(comparison, bound);
        }

        violations.Add(new Violation(field, $"'{text}' is not <, <=, >, >=, == or != and a number, such as '< 0.01'."));
        return null;
    }

    /// <summary>Success when there are values and all satisfy it, inconclusive when there are none or one is no number, else failure.</summary>
    public GateOutcome Judge(IReadOnlyList<double> values) =>
        values.Count == 0 || values.Any(double.IsNaN) ? GateOutcome.Inconclusive
        : values.All(Holds) ? GateOutcome.Success
        : GateOutcome.Failure;

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{_signs.Single(one => one.Comparison == Comparison).Sign} {Bound:R}");

    private bool Holds(double value) => Comparison switch
    {
        Comparison.Less => value < Bound,
        Comparison.AtMost => value <= Bound,
        Comparison.More => value > Bound,
        Comparison.AtLeast => value >= Bound,
        Comparison.Equal => value == Bound,
        _ => value != Bound,
    };
}
