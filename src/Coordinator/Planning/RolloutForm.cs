using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>
/// A rollout as an operator writes it: text and numbers, its JSON form; the image is named beside it. Null is the default of
/// <see cref="RolloutSpec"/>.
/// </summary>
public sealed record RolloutForm
{
    /// <summary><c>zone=a,pool in (web,db)</c>; <c>*</c>: every guest. Null when only <see cref="Guests"/> are meant.</summary>
    public string? Selector { get; init; }

    /// <summary><c>HOST/GUEST</c>, besides what the selector matches.</summary>
    public IReadOnlyList<string>? Guests { get; init; }

    /// <summary>The first wave, if any.</summary>
    public WaveForm? Canary { get; init; }

    /// <summary>In order. None: all at once, after the canary.</summary>
    public IReadOnlyList<WaveForm>? Waves { get; init; }

    /// <summary><c>second Tuesday 02:00 Europe/Berlin for 3h</c>; none: at any time.</summary>
    public IReadOnlyList<string>? Windows { get; init; }

    /// <summary>Names of blackout calendars.</summary>
    public IReadOnlyList<string>? Calendars { get; init; }

    /// <summary>What becomes of upgrades that run when a window closes: <c>finish</c> or <c>roll-back</c>.</summary>
    public string? OnWindowClose { get; init; }

    /// <summary>Besides the fleet's own limits.</summary>
    public IReadOnlyList<LimitForm>? Limits { get; init; }

    /// <summary><c>twin</c>, <c>kexec</c>, <c>reboot</c>, <c>auto</c>.</summary>
    public string? Strategy { get; init; }

    /// <summary>Guests of hosts that are offline: <c>skip</c>, <c>wait</c>, <c>fail</c>.</summary>
    public string? Offline { get; init; }
    public bool? RequireProven { get; init; }
    public bool? AllowDowngrade { get; init; }

    /// <summary>
    /// Reads all of it; parts that are wrong are left out of the spec, each with a violation, so that what else is wrong with the rest can
    /// be told in the same answer. A spec that came with violations must not be carried out.
    /// </summary>
    public RolloutSpec Read(ICollection<Violation> violations) => throw new NotImplementedException();
}

/// <summary>A wave as text and numbers. Exactly one of <see cref="Count"/>, <see cref="Percent"/> and <see cref="Label"/>.</summary>
public sealed record WaveForm
{
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
}
