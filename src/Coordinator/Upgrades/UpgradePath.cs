using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>The steps of each strategy, in their order.</summary>
internal static class UpgradePath
{
    private static readonly UpgradeStep[] Twin =
    [
        UpgradeStep.Preflight, UpgradeStep.Reserve, UpgradeStep.Load, UpgradeStep.Boot, UpgradeStep.Standby,
        UpgradeStep.Transfer, UpgradeStep.CutOver, UpgradeStep.Probation, UpgradeStep.Commit,
    ];

    private static readonly UpgradeStep[] Kexec =
        [UpgradeStep.Preflight, UpgradeStep.Load, UpgradeStep.CutOver, UpgradeStep.Probation, UpgradeStep.Commit];

    private static readonly UpgradeStep[] Reboot =
        [UpgradeStep.Preflight, UpgradeStep.CutOver, UpgradeStep.Probation, UpgradeStep.Commit];

    /// <summary>Known no further than to the step that chooses.</summary>
    private static readonly UpgradeStep[] Auto = [UpgradeStep.Preflight];

    public static bool Has(UpgradeStrategy strategy, UpgradeStep step) => Steps(strategy).Contains(step);

    /// <summary>The step behind one that has another behind it.</summary>
    public static UpgradeStep After(UpgradeStrategy strategy, UpgradeStep step)
    {
        UpgradeStep[] steps = Steps(strategy);
        return steps[Array.IndexOf(steps, step) + 1];
    }

    private static UpgradeStep[] Steps(UpgradeStrategy strategy) => strategy switch
    {
        UpgradeStrategy.Auto => Auto,
        UpgradeStrategy.Twin => Twin,
        UpgradeStrategy.Kexec => Kexec,
        UpgradeStrategy.Reboot => Reboot,
        _ => throw new ArgumentOutOfRangeException(nameof(strategy), strategy, "Not a strategy."),
    };
}
