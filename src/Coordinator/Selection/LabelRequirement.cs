namespace TwinKernel.Fleet.Coordinator.Selection;

/// <summary>What a requirement asks of the label with its key.</summary>
public enum LabelTest
{
    /// <summary>The label is there with one of the values: <c>zone=a</c>, <c>zone in (a,b)</c>.</summary>
    In = 1,

    /// <summary>The label is not there, or has none of the values: <c>zone!=a</c>, <c>zone notin (a,b)</c>.</summary>
    NotIn = 2,

    /// <summary>The label is there: <c>canary</c>.</summary>
    Present = 3,

    /// <summary>The label is not there: <c>!canary</c>.</summary>
    Absent = 4,
}

/// <summary>One part of a selector. <paramref name="Values"/> are sorted, each once; empty for <see cref="LabelTest.Present"/> and <see cref="LabelTest.Absent"/>.</summary>
public sealed record LabelRequirement(string Key, LabelTest Test, IReadOnlyList<string> Values)
{
    public bool Holds(IReadOnlyDictionary<string, string> labels)
    {
        bool present = labels.TryGetValue(Key, out string? value);
        return Test switch
        {
            LabelTest.In => present && Values.Contains(value!),
            LabelTest.NotIn => !present || !Values.Contains(value!),
            LabelTest.Present => present,
            _ => !present,
        };
    }

    public override string ToString() => (Test, Values) switch
    {
        (LabelTest.In, [string one]) => $"{Key}={one}",
        (LabelTest.NotIn, [string one]) => $"{Key}!={one}",
        (LabelTest.In, _) => $"{Key} in ({string.Join(',', Values)})",
        (LabelTest.NotIn, _) => $"{Key} notin ({string.Join(',', Values)})",
        (LabelTest.Present, _) => Key,
        _ => $"!{Key}",
    };
}
