using System.Globalization;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>"Why is this guest waiting?": one sentence, empty when the upgrade has ended.</summary>
internal static class WaitsFor
{
    public static string Sentence(UpgradeRecord upgrade, DateTimeOffset now)
    {
        string left = upgrade.DeadlineAt is { } deadline
            ? Math.Max(0, (deadline - now).TotalSeconds).ToString("0", CultureInfo.InvariantCulture)
            : "0";
        return (upgrade.Phase, upgrade.State) switch
        {
            (_, UpgradeState.Admitted) => "Waits to be started.",
            (StepPhase.Commanded, _) =>
                $"Waits for host {upgrade.HostName} to accept {upgrade.Situation.Step}{Again(upgrade)}; given up in {left} s.",
            (StepPhase.Accepted, UpgradeState.Commit) =>
                $"Waits for host {upgrade.HostName} to finish Commit{Again(upgrade)}, from which there is no way back; at most {left} s more.",
            (StepPhase.Accepted, _) =>
                $"Waits for host {upgrade.HostName} to finish {upgrade.Situation.Step}{Again(upgrade)}; at most {left} s more.",
            (StepPhase.Gating, _) =>
                $"Waits for the gates before {upgrade.Situation.Step}{(upgrade.Progress is { } said ? $" ({said})" : "")}; at most {left} s more.",
            (StepPhase.BackingOff, UpgradeState.Commit) =>
                $"Kernel B serves but attempt {upgrade.Attempt} at Commit failed and there is no way back; the next one begins in {left} s.",
            (StepPhase.BackingOff, _) =>
                $"Attempt {upgrade.Attempt} at {upgrade.Situation.Step} failed; the next one begins in {left} s.",
            _ => "",
        };
    }

    private static string Again(UpgradeRecord upgrade) => upgrade.Attempt > 1 ? $" (attempt {upgrade.Attempt})" : "";
}
