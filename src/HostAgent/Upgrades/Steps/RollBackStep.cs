using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Observation;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>
/// Brings the guest back to kernel A, whoever answers now, and succeeds only when A serves with all its CPUs. A machine
/// that has ended is started on A's image. One in which neither the agent nor the service answers any more is
/// started again too: nothing that runs in it can be lost to anyone. So is one in which kernel A has ended, by kexec or reboot, and
/// kernel B is only tried: A's image is all that is left of A. Within one attempt the machine is started again once.
/// </summary>
internal static class RollBackStep
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan UnplugPatience = TimeSpan.FromSeconds(5);

    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        TimeSpan patience = Min(context.Command.Deadline / 2, TimeSpan.FromSeconds(15));
        long lastAnswer = context.Time.GetTimestamp();
        bool rolledBack = false, restarted = false;

        // A reboot has asked nothing of the guest, and one that was started again knows of nothing: there is nothing to undo in it.
        bool nothingToUndo = context.Command.Strategy == UpgradeStrategy.Reboot;
        string lastSeen = "nobody answered";
        while (true)
        {
            MachineEndpoint endpoint = await RunningAsync(context, cancellationToken).ConfigureAwait(false);
            try
            {
                if (TakeOver.IsPossible(context.Command)
                    && await GuestConnection.AskStatusAsync(endpoint, TimeSpan.FromSeconds(2), cancellationToken).ConfigureAwait(false) is var now
                    && TakeOver.Happened(context.Command, now))
                {
                    throw new StepException(UpgradeFailure.TookOver, TakeOver.Reason(context, now));
                }

                if (!rolledBack && !nothingToUndo)
                {
                    await CallAsync(context, endpoint, cancellationToken).ConfigureAwait(false);
                    rolledBack = true;
                }

                GuestStatus status = await GuestConnection.AskStatusAsync(endpoint, TimeSpan.FromSeconds(2), cancellationToken).ConfigureAwait(false);
                lastAnswer = context.Time.GetTimestamp();
                context.Observed = status;
                if (IsTried(context) && !restarted && status.BootId != context.Journal.Fact(context.Command.UpgradeId, CutOverStep.BootIdOfA))
                {
                    await RestartAsync(context, $"kernel {status.KernelRelease} was only tried", cancellationToken).ConfigureAwait(false);
                    (restarted, nothingToUndo, lastAnswer) = (true, true, context.Time.GetTimestamp());
                    continue;
                }

                if (IsCommitted(context, status))
                {
                    throw new StepException(UpgradeFailure.RollBackFailed, $"Kernel B ({status.KernelRelease}) has committed: kernel A is gone, and there is no way back.");
                }

                if (IsWhole(status))
                {
                    await CutOverStep.LeadServiceAsync(context, toStandbyCard: false, cancellationToken).ConfigureAwait(false);
                    await UnplugAsync(context, status, cancellationToken).ConfigureAwait(false);
                    context.Machine.RecordRolledBack();
                    context.Observations.End(context.Command.UpgradeId);
                    context.Progress($"kernel {status.KernelRelease} serves with {status.CpusOnline} CPUs");
                    return;
                }

                lastSeen = $"{status.KernelRelease} answers with {status.CpusOnline} of {status.CpusPresent} CPUs, {status.Instances.Count} instances{(status.HasParent ? " and a parent" : "")}";

                // Kernel B answered the call, or A came back by itself and has not been asked: ask who answers now.
                rolledBack = rolledBack && !status.HasParent && status.Instances.Count == 0;
            }
            catch (RpcException e) when (e.IsTransport() && !cancellationToken.IsCancellationRequested)
            {
                rolledBack = false;
                lastSeen = $"nobody answers: {e.Status.Detail}";
            }
            catch (RpcException e) when (e.StepErrorOf() is { } error && error.Reason != "STALE_EPOCH")
            {
                // The kernel that refused may not be the one that answers next; the deadline decides.
                lastSeen = $"the guest says {error.Reason}: {error.Message}";
            }

            catch (Exception e) when (e is OperationCanceledException or RpcException && cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException(NotWhole(lastSeen), e, cancellationToken);
            }

            if (!restarted && context.Time.GetElapsedTime(lastAnswer) > patience && !endpoint.Gone.IsCancellationRequested)
            {
                if (IsTried(context) || !await ServesAsync(endpoint, cancellationToken).ConfigureAwait(false))
                {
                    await RestartAsync(context, lastSeen, cancellationToken).ConfigureAwait(false);
                    (restarted, nothingToUndo) = (true, true);
                }

                lastAnswer = context.Time.GetTimestamp();
            }

            await WaitAsync(context, lastSeen, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Kernel A has ended, or is about to, and what took its place may not stay.</summary>
    private static bool IsTried(StepContext context) => context.Command.Strategy != UpgradeStrategy.Twin && context.Machine.OnTrial;

    private static bool IsWhole(GuestStatus status) =>
        !status.HasParent && status.Instances.Count == 0 && status.CpusOnline == status.CpusPresent;

    /// <summary>Another kernel than the upgrade's A, twin booted and without a parent, can only be its B.</summary>
    private static bool IsCommitted(StepContext context, GuestStatus status) =>
        status is { TwinBooted: true, HasParent: false }
        && context.Journal.Fact(context.Command.UpgradeId, CutOverStep.BootIdOfA) is { } bootIdOfA && bootIdOfA != status.BootId;

    /// <summary>A kernel that was itself booted beside another has no driver for the slot: the card stays there, down, for the next upgrade.</summary>
    private static async Task UnplugAsync(StepContext context, GuestStatus status, CancellationToken cancellationToken)
    {
        try
        {
            if (!status.TwinBooted && !await context.Machine.UnplugStandbyCardAsync(UnplugPatience, cancellationToken).ConfigureAwait(false))
            {
                context.Progress($"the guest does not let go of the standby card ({UnplugPatience}); it stays plugged in for the next upgrade");
            }
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            context.Progress($"the standby card may still be plugged in: {e.Message}");
        }
    }

    private static async Task<MachineEndpoint> RunningAsync(StepContext context, CancellationToken cancellationToken)
    {
        if (context.Machine.Endpoint is { } endpoint)
        {
            return endpoint;
        }

        context.Progress("the machine has ended; starting it on kernel A's image");
        return await context.Machine.WaitRunningAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task CallAsync(StepContext context, MachineEndpoint endpoint, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, endpoint.Gone);
        limit.CancelAfter(CallTimeout);
        using GuestConnection connection = new(endpoint);
        try
        {
            StepResult result = await connection.Client.RollBackAsync(context.Request, connection.Options(context.Deadline, limit.Token)).ResponseAsync.ConfigureAwait(false);
            context.Timings.Add(result.Timings);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new global::Grpc.Core.Status(StatusCode.Unavailable, "the call of the roll back was not answered", e));
        }
    }

    /// <summary>The workload comes first: while its service answers, a silent agent is no reason to end the machine.</summary>
    private static async Task<bool> ServesAsync(MachineEndpoint endpoint, CancellationToken cancellationToken)
    {
        using OutageObserver probe = new(endpoint.Service, TimeSpan.FromMilliseconds(20));
        return await probe.WaitAnsweredAsync(TimeSpan.FromSeconds(2), cancellationToken).ConfigureAwait(false);
    }

    private static Task RestartAsync(StepContext context, string why, CancellationToken cancellationToken)
    {
        context.Progress($"{why}; starting the machine again on kernel A's image");
        return context.Machine.RestartAsync($"roll back of upgrade {context.Command.UpgradeId}: {why}", cancellationToken);
    }

    private static async Task WaitAsync(StepContext context, string lastSeen, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException e)
        {
            throw new OperationCanceledException(NotWhole(lastSeen), e, cancellationToken);
        }
    }

    private static string NotWhole(string lastSeen) => $"Kernel A does not serve whole: {lastSeen}.";

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
