using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Selection;

/// <summary>
/// Which guests, by their labels: requirements that must all hold, as in Kubernetes:
/// <c>zone=a,pool in (web,db),!experimental,rack!=r1</c>. <c>*</c> selects every guest; an empty text is an error, so that a forgotten
/// selector selects nothing. Two selectors with the same canonical text are equal.
/// </summary>
public sealed class LabelSelector : IEquatable<LabelSelector>
{
    public const string EverythingText = "*";

    /// <summary>Longest text that is read, in characters.</summary>
    public const int LongestText = 4096;

    private readonly string _text;

    internal LabelSelector(IEnumerable<LabelRequirement> requirements)
    {
        Requirements = [.. requirements
            .Select(one => one with { Values = [.. one.Values.Distinct().Order(StringComparer.Ordinal)] })
            .DistinctBy(one => one.ToString())
            .OrderBy(one => one.Key, StringComparer.Ordinal)
            .ThenBy(one => one.ToString(), StringComparer.Ordinal)];
        _text = Requirements.Count == 0 ? EverythingText : string.Join(',', Requirements);
    }

    public static LabelSelector Everything { get; } = new([]);

    /// <summary>Sorted, each once.</summary>
    public IReadOnlyList<LabelRequirement> Requirements { get; }

    /// <summary>Null, and every error with its position (the first character is 1) at <paramref name="field"/>, when it is no selector.</summary>
    public static LabelSelector? Parse(string text, string field, ICollection<Violation> violations) =>
        new SelectorReader(text, field, violations).Read();

    public bool Matches(IReadOnlyDictionary<string, string> labels) => Requirements.All(one => one.Holds(labels));

    public bool Equals(LabelSelector? other) => other is not null && _text == other._text;

    public override bool Equals(object? obj) => Equals(obj as LabelSelector);

    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    /// <summary>The canonical text: requirements sorted, no blanks but around <c>in</c> and <c>notin</c>.</summary>
    public override string ToString() => _text;
}
