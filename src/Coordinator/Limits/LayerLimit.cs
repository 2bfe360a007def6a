using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Limits;

/// <summary>
/// What a limit counts in. Zone, rack and pool are the guests with the same value of the label of that name; guests without it are one
/// group of their own. A value names one group in the whole fleet: racks of two zones need different names.
/// </summary>
public enum LimitLayer
{
    Fleet = 1,
    Zone = 2,
    Rack = 3,
    Pool = 4,
    Host = 5,
}

/// <summary>A limit on one group of a layer, or on each. All limits that concern a guest must hold; none takes the place of another.</summary>
public sealed record LayerLimit
{
    public required LimitLayer Layer { get; init; }

    /// <summary>The zone, rack, pool or host; null: each of them by itself. Null for <see cref="LimitLayer.Fleet"/>.</summary>
    public string? Name { get; init; }

    /// <summary>The most upgrades that run at once in the group, as a part of all its guests; null: any number.</summary>
    public Amount? MaxConcurrent { get; init; }

    /// <summary>
    /// 0 to 99. So many percent of the group's guests, rounded up, must be healthy and not being upgraded, before and after each
    /// admission. A group too small for that admits nothing, and says so.
    /// </summary>
    public int MinHealthyPercent { get; init; }

    /// <summary><c>host h1: at most 2 at once, at least 90% healthy</c>.</summary>
    public override string ToString() => throw new NotImplementedException();
}

/// <summary>A limit as text and numbers: its JSON form.</summary>
public sealed record LimitForm
{
    /// <summary><c>fleet</c>, <c>zone</c>, <c>rack</c>, <c>pool</c> or <c>host</c>.</summary>
    public string? Layer { get; init; }
    public string? Name { get; init; }

    /// <summary><c>5</c> or <c>10%</c>.</summary>
    public string? MaxConcurrent { get; init; }

    /// <summary>0 to 99.</summary>
    public int? MinHealthyPercent { get; init; }

    public static LimitForm Of(LayerLimit limit) => throw new NotImplementedException();

    /// <summary>Null, and every error with its path, when it is no limit.</summary>
    public LayerLimit? Read(string field, ICollection<Violation> violations) => throw new NotImplementedException();
}
