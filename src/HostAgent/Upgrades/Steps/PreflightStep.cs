using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>
/// Asks the guest whether, and how, it can be upgraded to the image, which must be here and whole. Touches nothing. A reboot asks nothing of
/// the guest, so that one that can do nothing else can still be rebooted; but a guest that does not answer is no guest that cannot.
/// </summary>
internal static class PreflightStep
{
    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        StoredImage image = await context.VerifiedImageAsync(cancellationToken).ConfigureAwait(false);
        UpgradeStrategy wanted = context.Command.Strategy;
        if (wanted == UpgradeStrategy.Reboot)
        {
            context.Chosen = UpgradeStrategy.Reboot;
            return;
        }

        PreflightRequest request = new()
        {
            UpgradeId = context.Command.UpgradeId.ToString(),
            Epoch = (ulong)context.Command.Epoch,
            KernelBytes = (ulong)image.Manifest.Kernel.Bytes,
            InitrdBytes = (ulong)image.Manifest.Initrd.Bytes,
            TakeOverOnPanic = context.Command.OnPanic == PanicPolicy.Failover,
            Strategies = { wanted switch { UpgradeStrategy.Auto => [Strategy.Twin, Strategy.Kexec], UpgradeStrategy.Kexec => [Strategy.Kexec], _ => [Strategy.Twin] } },
        };
        PreflightReport report = await context.CallAsync(
            (guest, options) => guest.Client.PreflightAsync(request, options).ResponseAsync, cancellationToken).ConfigureAwait(false);
        context.Timings.Add(report.Timings);
        Choose(context, wanted, report);
        context.Progress(context.ChosenBecause is { } because ? $"{context.Chosen}: {because}" : $"{report.Checks.Count(c => c.Passed)} checks passed");
    }

    private static void Choose(StepContext context, UpgradeStrategy wanted, PreflightReport report)
    {
        string twin = Blockers(report, Strategy.Twin), kexec = Blockers(report, Strategy.Kexec);
        bool mayReboot = wanted == UpgradeStrategy.Auto && !context.Command.RequireSignature;
        (context.Chosen, context.ChosenBecause) = report.Chosen switch
        {
            Strategy.Twin => (UpgradeStrategy.Twin, null),
            Strategy.Kexec => (UpgradeStrategy.Kexec, wanted == UpgradeStrategy.Auto ? $"no twin: {twin}" : null),

            // An agent that knows no strategies knows twins.
            _ when wanted != UpgradeStrategy.Kexec && report.Checks.All(c => c.Passed) => (UpgradeStrategy.Twin, null),
            _ when mayReboot => (UpgradeStrategy.Reboot, $"no twin: {twin}; no kexec: {kexec}"),
            _ => throw new StepException(UpgradeFailure.PreflightBlocked, wanted switch
            {
                UpgradeStrategy.Auto => $"no twin: {twin}; no kexec: {kexec}. A reboot would not check the signature",
                UpgradeStrategy.Kexec => $"{kexec}. Possible instead: --strategy reboot",
                _ when kexec.Length == 0 => $"{twin}. Possible instead, with an outage of one boot: --strategy kexec",
                _ => $"{twin}. Possible instead, with an outage of one boot: --strategy reboot",
            }),
        };
    }

    private static string Blockers(PreflightReport report, Strategy strategy) => string.Join("; ", report.Checks
        .Where(c => !c.Passed && (c.NeededFor.Count == 0 || c.NeededFor.Contains(strategy)))
        .Select(c => $"{c.Name}: {c.Message}"));
}
