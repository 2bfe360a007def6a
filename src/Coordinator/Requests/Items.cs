namespace TwinKernel.Fleet.Coordinator.Requests;

/// <summary>Lists in requests.</summary>
internal static class Items
{
    /// <summary>Reads each with the path <c>FIELD[i]</c>. As many as there were, null where one was missing or wrong.</summary>
    public static IReadOnlyList<TRead?> Read<TItem, TRead>(
        IReadOnlyList<TItem?>? items, string field, Func<TItem, string, ICollection<Violation>, TRead?> read, ICollection<Violation> violations)
        where TItem : class
    {
        List<TRead?> all = [];
        foreach ((int at, TItem? item) in (items ?? []).Index())
        {
            string path = $"{field}[{at}]";
            if (item is null)
            {
                violations.Add(new Violation(path, "It is null."));
            }

            all.Add(item is null ? default : read(item, path, violations));
        }

        return all;
    }
}
