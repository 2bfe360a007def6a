using System.Globalization;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Observation;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>
/// A cut-over in which kernel A ends before kernel B begins, by kexec or by reboot. Kernel B is the one that answers afterwards under
/// another boot id, booted by no other kernel, of the image's release.
/// </summary>
internal static class NewBoot
{
    /// <summary>Name of the fact that holds the run of the machine in which the upgrade began.</summary>
    public const string RunOfA = "machineRun";

    /// <summary>Name of the fact that holds the run that a reboot made.</summary>
    public const string RunOfB = "machineRunOfB";

    /// <summary>Name of the fact that holds kernel B's boot id.</summary>
    private const string BootIdOfB = "bootIdOfB";

    private const int LastLines = 6;
    private static readonly TimeSpan FirstAnswer = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan PollTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Whether this is kernel B, of whatever strategy.</summary>
    public static bool IsKernelB(StepContext context, GuestStatus status) => context.Command.Strategy == UpgradeStrategy.Twin
        ? status.TwinBooted && status.BootId != context.Journal.Fact(context.Command.UpgradeId, CutOverStep.BootIdOfA)
        : status.BootId == context.Journal.Fact(context.Command.UpgradeId, BootIdOfB);

    /// <summary>Begins to observe and notes who kernel A is. A guest that answers nothing may still be booted anew; only its outage is not known then.</summary>
    public static async Task BeginAsync(StepContext context, MachineEndpoint endpoint, CancellationToken cancellationToken)
    {
        OutageObserver observer = context.Observations.Begin(context.Command.UpgradeId, endpoint);
        if (!await observer.WaitAnsweredAsync(FirstAnswer, cancellationToken).ConfigureAwait(false))
        {
            context.Observations.End(context.Command.UpgradeId);
            context.Progress($"the guest's service on UDP {endpoint.Service} answers no probe: the outage is not measured");
        }

        if (context.Journal.Fact(context.Command.UpgradeId, CutOverStep.BootIdOfA) is null)
        {
            GuestStatus? before = await GuestConnection.TryAskStatusAsync(endpoint, PollTimeout, cancellationToken).ConfigureAwait(false);
            context.Journal.Note(context.Command.UpgradeId, CutOverStep.BootIdOfA, before?.BootId ?? "unknown");
        }
    }

    /// <summary>Waits for kernel B.</summary>
    /// <param name="lookAtA">Told what A says as long as it is A that answers; throws when that ends the step.</param>
    public static async Task WaitAsync(StepContext context, MachineEndpoint endpoint, Action<GuestStatus> lookAtA, CancellationToken cancellationToken)
    {
        try
        {
            await PollAsync(context, endpoint, lookAtA, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (cancellationToken.IsCancellationRequested && e is RpcException or OperationCanceledException)
        {
            throw new OperationCanceledException($"The new kernel's agent did not answer; {Tail(context)}.", e, cancellationToken);
        }
    }

    private static async Task PollAsync(StepContext context, MachineEndpoint endpoint, Action<GuestStatus> lookAtA, CancellationToken cancellationToken)
    {
        string? bootIdOfA = context.Journal.Fact(context.Command.UpgradeId, CutOverStep.BootIdOfA);
        string release = context.Images.Find(context.Command.ImageDigest).Manifest.KernelRelease;
        while (true)
        {
            if (endpoint.Gone.IsCancellationRequested)
            {
                throw new StepException(UpgradeFailure.MachineGone, $"The machine of guest {context.Machine.Name} ended in the cut-over; {Tail(context)}.");
            }

            GuestStatus? status = await GuestConnection.TryAskStatusAsync(endpoint, PollTimeout, cancellationToken).ConfigureAwait(false);
            if (status is not null && status.BootId != bootIdOfA)
            {
                context.Observed = status;
                context.Journal.Note(context.Command.UpgradeId, BootIdOfB, status.BootId);
                if (status.TwinBooted || status.KernelRelease != release)
                {
                    throw new StepException(UpgradeFailure.NewKernelSilent, string.Create(CultureInfo.InvariantCulture, $"Kernel {status.KernelRelease} answers, not {release} as the image promises."));
                }

                context.Progress($"kernel {status.KernelRelease} serves");
                return;
            }

            if (status is not null)
            {
                lookAtA(status);
            }

            await Task.Delay(Poll, cancellationToken).ConfigureAwait(false);
        }
    }

    private static string Tail(StepContext context) => $"its console ends: {ConsoleLog.Tail(context.Machine.ConsoleLogs[0], LastLines)}";
}
