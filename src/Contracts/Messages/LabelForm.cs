namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>
/// What a label may be, as in Kubernetes. A key is a name of 1 to 63 of <c>A-Z a-z 0-9 - _ .</c> that begins and ends with a letter or
/// digit, after an optional prefix of up to 253 lower-case letters, digits, <c>-</c> and <c>.</c> and a slash. A value is empty or like a name.
/// </summary>
public static class LabelForm
{
    /// <summary>Labels on one host or guest.</summary>
    public const int Most = 64;
    public const int LongestName = 63;
    public const int LongestPrefix = 253;

    /// <summary>Every guest has these without being given them: the host's name and its own.</summary>
    public static readonly IReadOnlyList<string> Reserved = ["host", "guest"];

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

    /// <summary>Whether <paramref name="text"/> is 1 to 63 characters that a label's value may have.</summary>
    public static bool IsName(string? text) => IsName(text, LongestName, "-_.", upper: true);

    /// <summary>All that is wrong with the labels of a host or a guest, a sentence each.</summary>
    public static IEnumerable<string> Errors(IReadOnlyDictionary<string, string> labels)
    {
        if (labels.Count > Most)
        {
            yield return $"There are {labels.Count} labels; at most {Most} are possible.";
        }

        foreach ((string key, string value) in labels)
        {
            if (KeyTrouble(key) is { } trouble)
            {
                yield return trouble;
            }

            if (Reserved.Contains(key))
            {
                yield return $"Label '{key}' is one that every guest has by itself; choose another key.";
            }

            if (ValueTrouble(value) is { } wrong)
            {
                yield return wrong;
            }
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
