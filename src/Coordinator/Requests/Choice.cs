using System.Text.Json;

namespace TwinKernel.Fleet.Coordinator.Requests;

/// <summary>Members of an enum as people write them: <c>RollBackWave</c> is <c>roll-back-wave</c>.</summary>
internal static class Choice
{
    public static string Text<T>(T value) where T : struct, Enum => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());

    /// <summary>Null text gives <paramref name="absent"/>, or a violation when that is null too.</summary>
    public static T? Read<T>(string? text, string field, T? absent, ICollection<Violation> violations, params T[] except) where T : struct, Enum
    {
        if (text is null && absent is not null)
        {
            return absent;
        }

        T[] choices = [.. Enum.GetValues<T>().Except(except)];
        foreach (T choice in choices)
        {
            if (Text(choice) == text)
            {
                return choice;
            }
        }

        violations.Add(new Violation(field, $"'{text}' must be one of {string.Join(", ", choices.Select(Text))}."));
        return null;
    }
}
