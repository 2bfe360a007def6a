namespace TwinKernel.Fleet.Coordinator.Guests;

/// <summary>A guest, by the host it is on and its name there. Ordered by host, then name, byte by byte.</summary>
public readonly record struct GuestId(string Host, string Name) : IComparable<GuestId>
{
    public int CompareTo(GuestId other)
    {
        int byHost = string.CompareOrdinal(Host, other.Host);
        return byHost != 0 ? byHost : string.CompareOrdinal(Name, other.Name);
    }

    /// <summary>Null when <paramref name="text"/> is not <c>HOST/GUEST</c>.</summary>
    public static GuestId? Parse(string text) =>
        text.Split('/') is [{ Length: > 0 } host, { Length: > 0 } name] ? new GuestId(host, name) : null;

    /// <summary><c>HOST/GUEST</c>.</summary>
    public override string ToString() => $"{Host}/{Name}";
}
