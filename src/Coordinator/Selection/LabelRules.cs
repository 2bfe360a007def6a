using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Selection;

/// <summary>What a label may be, <see cref="LabelForm"/>, and the keys that mean something to limits.</summary>
public static class LabelRules
{
    public const int LongestName = LabelForm.LongestName;

    /// <summary>The keys of the layers of limits.</summary>
    public const string Region = "region", Zone = "zone", Rack = "rack", Pool = "pool";

    /// <summary>What is wrong with a key: one sentence, or null.</summary>
    public static string? KeyTrouble(string key) => LabelForm.KeyTrouble(key);

    /// <summary>What is wrong with a value: one sentence, or null.</summary>
    public static string? ValueTrouble(string value) => LabelForm.ValueTrouble(value);

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
        if (!LabelForm.IsName(name))
        {
            violations.Add(new Violation(
                field, $"'{name}' must be 1 to {LongestName} of A-Z, a-z, 0-9, -, _ and ., and begin and end with a letter or digit."));
        }
    }
}
