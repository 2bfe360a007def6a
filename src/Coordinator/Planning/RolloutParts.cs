using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Selection;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>What could be read of a form, each part in its place and null where it was wrong: so that the rest can still be checked.</summary>
internal sealed record RolloutParts
{
    public required LabelSelector? Selector { get; init; }
    public required IReadOnlyList<GuestId?> Guests { get; init; }
    public required WaveRule? Canary { get; init; }
    public required IReadOnlyList<WaveRule?> Waves { get; init; }
    public required IReadOnlyList<MaintenanceWindow?> Windows { get; init; }
    public required IReadOnlyList<string> Calendars { get; init; }
    public required WindowClosePolicy? OnWindowClose { get; init; }
    public required IReadOnlyList<LayerLimit?> Limits { get; init; }
    public required UpgradeStrategy? Strategy { get; init; }
    public required OfflinePolicy? Offline { get; init; }
    public required bool RequireProven { get; init; }
    public required bool AllowDowngrade { get; init; }

    /// <summary>Without what is null, or with its default.</summary>
    public RolloutSpec Spec() => new()
    {
        Selector = Selector,
        Guests = [.. Guests.OfType<GuestId>().Distinct().Order()],
        Canary = Canary,
        Waves = [.. Waves.OfType<WaveRule>()],
        Windows = [.. Windows.OfType<MaintenanceWindow>()],
        Calendars = [.. Calendars.Distinct()],
        OnWindowClose = OnWindowClose ?? WindowClosePolicy.Finish,
        Limits = [.. Limits.OfType<LayerLimit>()],
        Strategy = Strategy ?? UpgradeStrategy.Twin,
        Offline = Offline ?? OfflinePolicy.Wait,
        RequireProven = RequireProven,
        AllowDowngrade = AllowDowngrade,
    };
}
