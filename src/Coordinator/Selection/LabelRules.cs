using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Selection;

/// <summary>
/// What a label may be, as in Kubernetes. A key is a name of 1 to 63 of <c>A-Z a-z 0-9 - _ .</c> that begins and ends with a letter or
/// digit, after an optional prefix of up to 253 lower-case letters, digits, <c>-</c> and <c>.</c> and a slash. A value is empty or like a name.
/// </summary>
public static class LabelRules
{
    public const int LongestName = 63;
    public const int LongestPrefix = 253;

    /// <summary>The keys of the layers of limits.</summary>
    public const string Region = "region", Zone = "zone", Rack = "rack", Pool = "pool";

    /// <summary>What is wrong with a key: one sentence, or null.</summary>
    public static string? KeyTrouble(string key)
    {
        int slash = key.IndexOf('/');
        if (slash >= 0 && !IsName(key.AsSpan(0, slash), LongestPrefix, "-."))
        {
            return $"The prefix of label '{key}' must be 1 to {LongestPrefix} of a-z, 0-9, - and ., and begin and end with a letter or digit.";
        }

        return IsName(key.AsSpan(slash + 1), LongestName, "-_.", upper: true)
            ? null
            : $"Label '{key}' must be 1 to {LongestName} of A-Z, a-z, 0-9, -, _ and ., and begin and end with a letter or digit.";
    }

    /// <summary>What is wrong with a value: one sentence, or null.</summary>
    public static string? ValueTrouble(string value) =>
        value.Length == 0 || IsName(value, LongestName, "-_.", upper: true)
            ? null
            : $"Value '{value}' must be empty, or 1 to {LongestName} of A-Z, a-z, 0-9, -, _ and ., and begin and end with a letter or digit.";

    /// <summary>Adds a violation at <c>FIELD[KEY]</c> for every key and value that is against the rules.</summary>
    public static void Check(IReadOnlyDictionary<string, string> labels, string field, ICollection<Violation> violations)
    {
        foreach ((string key, string value) in labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            foreach (string? trouble in (string?[])[KeyTrouble(key), ValueTrouble(value)])
            {
                if (trouble is not null)
                {
                    violations.Add(new Violation($"{field}[{key}]", trouble));
                }
            }
        }
    }

    /// <summary>A violation unless <paramref name="name"/> is 1 to 63 characters that a label's value may have.</summary>
    internal static void CheckName(string? name, string field, ICollection<Violation> violations)
    {
        if (!IsName(name, LongestName, "-_.", upper: true))
        {
            violations.Add(new Violation(
                field, $"'{name}' must be 1 to {LongestName} of A-Z, a-z, 0-9, -, _ and ., and begin and end with a letter or digit."));
        }
    }

    private static bool IsName(ReadOnlySpan<char> text, int longest, string between, bool upper = false)
    {
        if (text.Length == 0 || text.Length > longest || between.Contains(text[0]) || between.Contains(text[^1]))
        {
            return false;
        }

        foreach (char one in text)
        {
            if (!char.IsAsciiLetterLower(one) && !char.IsAsciiDigit(one) && !(upper && char.IsAsciiLetterUpper(one)) && !between.Contains(one))
            {
                return false;
            }
        }

        return true;
    }
}
