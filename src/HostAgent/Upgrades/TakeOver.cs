using TwinKernel.Fleet.Contracts.Messages;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>
/// Kernel A panicked while kernel B stood by, and B took the machine over unasked (<see cref="PanicPolicy.Failover"/>). Whatever step was
/// under way has failed then, and the upgrade has not: B owns the machine.
/// </summary>
internal static class TakeOver
{
    /// <summary>How long nobody may answer before it counts as not having happened: B adopts the card, takes the address and commits.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Whether it may have happened in this step.</summary>
    public static bool IsPossible(ExecuteStep command) =>
        command is { OnPanic: PanicPolicy.Failover, Step: >= UpgradeStep.Standby and <= UpgradeStep.CutOver or UpgradeStep.RollBack };

    /// <summary>Whether the kernel that answers is one that took over in this upgrade.</summary>
    public static bool Happened(ExecuteStep command, GuestStatus? status) =>
        status is { TookOver: true } && status.UpgradeId == command.UpgradeId.ToString();

    public static string Reason(StepContext context, GuestStatus status) =>
        $"Kernel A panicked ({Steps.StandbyConsole.PanicLine(context) ?? "its console does not say why"}); kernel {status.KernelRelease} stood by and took the machine over.";
}
