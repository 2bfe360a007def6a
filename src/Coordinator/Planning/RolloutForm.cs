using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Selection;
using TwinKernel.Fleet.Coordinator.Windows;

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

    /// <summary>The canonical form, with every default written out.</summary>
    public static RolloutForm Of(RolloutSpec spec) => new()
    {
        Selector = spec.Selector?.ToString(),
        Guests = [.. spec.Guests.Select(guest => guest.ToString())],
        Canary = spec.Canary is null ? null : WaveForm.Of(spec.Canary),
        Waves = [.. spec.Waves.Select(WaveForm.Of)],
        Windows = [.. spec.Windows.Select(window => window.ToString())],
        Calendars = spec.Calendars,
        OnWindowClose = Choice.Text(spec.OnWindowClose),
        Limits = [.. spec.Limits.Select(LimitForm.Of)],
        Strategy = Choice.Text(spec.Strategy),
        Offline = Choice.Text(spec.Offline),
        RequireProven = spec.RequireProven,
        AllowDowngrade = spec.AllowDowngrade,
    };

    /// <summary>
    /// Every error with its path. What is wrong is left out of the spec, so that what else is wrong can be told in the same answer; a spec
    /// that came with violations must not be carried out. What only the fleet can tell, <see cref="WavePlanner"/> checks.
    /// </summary>
    public RolloutSpec Read(ICollection<Violation> violations) => ReadParts(violations).Spec();

    internal RolloutParts ReadParts(ICollection<Violation> violations)
    {
        if (Selector is null && Guests is null or [])
        {
            violations.Add(new Violation("selector", "A selector or guests are missing; '*' selects every guest."));
        }

        RolloutParts parts = new()
        {
            Selector = Selector is null ? null : LabelSelector.Parse(Selector, "selector", violations),
            Guests = Items.Read(Guests, "guests", ReadGuest, violations),
            Canary = Named(Canary?.Read("canary", violations), "canary"),
            Waves =
            [
                .. Items.Read(Waves, "waves", (wave, field, all) => wave.Read(field, all), violations)
                    .Select((wave, at) => Named(wave, $"wave {at + 1}")),
            ],
            Windows = Items.Read(Windows, "windows", MaintenanceWindow.Parse, violations),
            Calendars = Calendars ?? [],
            OnWindowClose = Choice.Read<WindowClosePolicy>(OnWindowClose, "onWindowClose", WindowClosePolicy.Finish, violations),
            Limits = Items.Read(Limits, "limits", (limit, field, all) => limit.Read(field, all), violations),
            Strategy = Choice.Read<UpgradeStrategy>(Strategy, "strategy", UpgradeStrategy.Twin, violations),
            Offline = Choice.Read<OfflinePolicy>(Offline, "offline", OfflinePolicy.Wait, violations),
            RequireProven = RequireProven ?? false,
            AllowDowngrade = AllowDowngrade ?? false,
        };
        CheckPercentages(violations);
        CheckNames(parts, violations);
        return parts;
    }

    private static WaveRule? Named(WaveRule? rule, string name) => rule is { Name: "" } ? rule with { Name = name } : rule;

    private static GuestId? ReadGuest(string text, string field, ICollection<Violation> violations)
    {
        GuestId? guest = GuestId.Parse(text);
        if (guest is null)
        {
            violations.Add(new Violation(field, $"'{text}' is not HOST/GUEST."));
        }

        return guest;
    }

    private void CheckPercentages(ICollection<Violation> violations)
    {
        int sum = Canary?.Percent is { } canary and >= 1 and <= 100 ? canary : 0;
        foreach ((int at, WaveForm? wave) in (Waves ?? []).Index())
        {
            int percent = wave?.Percent is { } own and >= 1 and <= 100 ? own : 0;
            if (sum <= 100 && sum + percent > 100)
            {
                violations.Add(new Violation($"waves[{at}].percent", $"Up to here canary and waves take {sum + percent}% of the guests, more than all."));
            }

            sum += percent;
        }
    }

    private static void CheckNames(RolloutParts parts, ICollection<Violation> violations)
    {
        HashSet<string> names = [WaveBuilder.Rest, .. parts.Canary is { } canary ? [canary.Name] : (string[])[]];
        foreach ((int at, WaveRule? wave) in parts.Waves.Index())
        {
            if (wave is not null && !names.Add(wave.Name))
            {
                violations.Add(new Violation($"waves[{at}].name", $"There is a wave '{wave.Name}' already."));
            }
        }
    }
}
