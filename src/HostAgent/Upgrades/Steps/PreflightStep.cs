using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Asks the guest whether it can be upgraded to the image, which must be here and whole. Touches nothing.</summary>
internal static class PreflightStep
{
    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        StoredImage image = await context.VerifiedImageAsync(cancellationToken).ConfigureAwait(false);
        PreflightRequest request = new()
        {
            UpgradeId = context.Command.UpgradeId.ToString(),
            Epoch = (ulong)context.Command.Epoch,
            KernelBytes = (ulong)image.Manifest.Kernel.Bytes,
            InitrdBytes = (ulong)image.Manifest.Initrd.Bytes,
        };
        PreflightReport report = await context.CallAsync(
            (guest, options) => guest.Client.PreflightAsync(request, options).ResponseAsync, cancellationToken).ConfigureAwait(false);
        context.Timings.Add(report.Timings);
        List<string> failed = [.. report.Checks.Where(c => !c.Passed).Select(c => $"{c.Name}: {c.Message}")];
        if (failed.Count > 0)
        {
            throw new StepException(UpgradeFailure.PreflightBlocked, string.Join("; ", failed));
        }

        context.Progress($"{report.Checks.Count} checks passed");
    }
}
