using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Selection;

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

    /// <summary>The group that a guest is in; null: it lacks the label.</summary>
    internal static string? GroupOf(LimitLayer layer, FleetMember guest) => layer switch
    {
        LimitLayer.Fleet => "",
        LimitLayer.Host => guest.Id.Host,
        LimitLayer.Zone => guest.Labels.GetValueOrDefault(LabelRules.Zone),
        LimitLayer.Rack => guest.Labels.GetValueOrDefault(LabelRules.Rack),
        LimitLayer.Pool => guest.Labels.GetValueOrDefault(LabelRules.Pool),
        _ => throw new ArgumentOutOfRangeException(nameof(layer), layer, "Not a layer."),
    };

    /// <summary><c>host h1: at most 2 at once, at least 90% healthy</c>.</summary>
    public override string ToString()
    {
        string[] parts = [
            .. MaxConcurrent is { } most ? [$"at most {most} at once"] : (string[])[],
            .. MinHealthyPercent > 0 ? [$"at least {MinHealthyPercent}% healthy"] : (string[])[],
        ];
        string group = Layer == LimitLayer.Fleet ? "fleet" : Name is null ? $"each {Choice.Text(Layer)}" : $"{Choice.Text(Layer)} {Name}";
        return $"{group}: {string.Join(", ", parts)}";
    }
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

    public static LimitForm Of(LayerLimit limit) => new()
    {
        Layer = Choice.Text(limit.Layer),
        Name = limit.Name,
        MaxConcurrent = limit.MaxConcurrent?.ToString(),
        MinHealthyPercent = limit.MinHealthyPercent,
    };

    /// <summary>Null, and every error with its path, when it is no limit.</summary>
    public LayerLimit? Read(string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        LimitLayer? layer = Choice.Read<LimitLayer>(Layer, $"{field}.layer", null, violations);
        if (layer == LimitLayer.Fleet && Name is not null)
        {
            violations.Add(new Violation($"{field}.name", "There is one fleet; its limit has no name."));
        }

        Amount? most = MaxConcurrent is null ? null : Amount.Parse(MaxConcurrent, $"{field}.maxConcurrent", violations);
        if (MinHealthyPercent is < 0 or > 99)
        {
            violations.Add(new Violation(
                $"{field}.minHealthyPercent", $"{MinHealthyPercent} is not 0 to 99; with all guests healthy and none being upgraded, none could ever be."));
        }

        if (MaxConcurrent is null && MinHealthyPercent is null)
        {
            violations.Add(new Violation(field, "A limit has maxConcurrent, minHealthyPercent or both."));
        }

        return violations.Count > before ? null : new LayerLimit
        {
            Layer = layer!.Value,
            Name = Name,
            MaxConcurrent = most,
            MinHealthyPercent = MinHealthyPercent ?? 0,
        };
    }
}
