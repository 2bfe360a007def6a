using NodaTime;
using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Selection;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>A wave as text and numbers. Exactly one of <see cref="Count"/>, <see cref="Percent"/> and <see cref="Label"/>.</summary>
public sealed record WaveForm
{
    public const int LongestName = 100;

    /// <summary>For people, 1 to 100 characters; each name once in a rollout.</summary>
    public string? Name { get; init; }

    /// <summary>1 or more guests.</summary>
    public int? Count { get; init; }

    /// <summary>1 to 100 percent of the selected guests; canary and waves together at most 100.</summary>
    public int? Percent { get; init; }

    /// <summary>A selector.</summary>
    public string? Label { get; init; }

    /// <summary><c>30m</c>, 0 s to 30 days.</summary>
    public string? Settle { get; init; }

    /// <summary><c>automatic</c> or <c>manual</c>.</summary>
    public string? Promotion { get; init; }

    /// <summary><c>5</c> or <c>10%</c> of the wave's guests.</summary>
    public string? MaxConcurrent { get; init; }
    public IReadOnlyList<GateForm>? Gates { get; init; }
    public ErrorPolicyForm? Errors { get; init; }

    internal static WaveForm Of(WaveRule rule) => new()
    {
        Name = rule.Name,
        Count = (rule.Size as WaveSize.Count)?.Guests,
        Percent = (rule.Size as WaveSize.Percent)?.Value,
        Label = (rule.Size as WaveSize.Label)?.Selector.ToString(),
        Settle = DurationText.Format(rule.Settle),
        Promotion = Choice.Text(rule.Promotion),
        MaxConcurrent = rule.MaxConcurrent?.ToString(),
        Gates = [.. rule.Gates.Select(GateForm.Of)],
        Errors = ErrorPolicyForm.Of(rule.Errors),
    };

    /// <summary>The name is empty when none was given.</summary>
    internal WaveRule? Read(string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        if (Name is { Length: 0 or > LongestName })
        {
            violations.Add(new Violation($"{field}.name", $"A wave's name has 1 to {LongestName} characters."));
        }

        WaveSize? size = ReadSize(field, violations);
        Duration settle = DurationText.Read(Settle, $"{field}.settle", Duration.Zero, Duration.Zero, WaveRule.LongestSettle, violations);
        Promotion? promotion = Choice.Read<Promotion>(Promotion, $"{field}.promotion", Planning.Promotion.Automatic, violations);
        Amount? most = MaxConcurrent is null ? null : Amount.Parse(MaxConcurrent, $"{field}.maxConcurrent", violations);
        GateSpec[] gates = [.. Items.Read(Gates, $"{field}.gates", (gate, path, all) => gate.Read(path, all), violations).OfType<GateSpec>()];
        foreach ((int at, GateForm? form) in (Gates ?? []).Index())
        {
            if (form?.Name is { } twice && Gates!.Take(at).Any(gate => gate?.Name == twice))
            {
                violations.Add(new Violation($"{field}.gates[{at}].name", $"The wave has a gate '{twice}' already."));
            }
        }

        ErrorPolicy? errors = Errors is null ? ErrorPolicy.Default : Errors.Read($"{field}.errors", violations);
        return violations.Count > before ? null : new WaveRule
        {
            Name = Name ?? "",
            Size = size!,
            Settle = settle,
            Promotion = promotion!.Value,
            MaxConcurrent = most,
            Gates = gates,
            Errors = errors!,
        };
    }

    private WaveSize? ReadSize(string field, ICollection<Violation> violations)
    {
        if ((Count is null ? 0 : 1) + (Percent is null ? 0 : 1) + (Label is null ? 0 : 1) != 1)
        {
            violations.Add(new Violation(field, "A wave has exactly one of count, percent and label."));
        }

        if (Count is < 1)
        {
            violations.Add(new Violation($"{field}.count", $"{Count} is not 1 or more."));
        }

        if (Percent is < 1 or > 100)
        {
            violations.Add(new Violation($"{field}.percent", $"{Percent} is not 1 to 100."));
        }

        LabelSelector? selector = Label is null ? null : LabelSelector.Parse(Label, $"{field}.label", violations);
        return Count is { } count ? new WaveSize.Count(count)
            : Percent is { } percent ? new WaveSize.Percent(percent)
            : selector is null ? null : new WaveSize.Label(selector);
    }
}
