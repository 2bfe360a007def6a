namespace TwinKernel.Fleet.Coordinator.Data;

/// <summary>How the settings of every section are held against their bounds.</summary>
internal static class OptionRange
{
    /// <summary>Adds an error when the value is not from <paramref name="least"/> to <paramref name="most"/>, both included.</summary>
    /// <param name="errors">Of the section so far.</param>
    /// <param name="key">Section and name, <c>Hosts:PaceInterval</c>.</param>
    /// <param name="value">As it was configured.</param>
    /// <param name="least">The least that works.</param>
    /// <param name="most">The most.</param>
    public static void AddUnlessIn<T>(this List<string> errors, string key, T value, T least, T most)
        where T : IComparable<T>
    {
        if (value.CompareTo(least) < 0 || value.CompareTo(most) > 0)
        {
            errors.Add($"{key} ({value}) must be between {least} and {most}.");
        }
    }
}
