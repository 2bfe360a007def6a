using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Machines;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>
/// Kernel A parks, kernel B serves. The call's answer, which may be lost with the connection, decides nothing: what
/// answers on the guest's address afterwards does.
/// </summary>
internal static class CutOverStep
{
    /// <summary>Name of the fact that holds kernel A's boot id, noted before anything happens.</summary>
    public const string BootIdOfA = "bootIdOfA";

    /// <summary>Name of the fact that kernel B's own times of the cut-over were reported.</summary>
    private const string TimedInB = "timedInB";

    /// <summary>The call answers just before the parking. Asking for the status until then would disturb it.</summary>
    private static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan PollTimeout = TimeSpan.FromMilliseconds(500);

    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        MachineEndpoint endpoint = context.Endpoint;
        context.Observations.Begin(context.Command.UpgradeId, endpoint).AtEase = false;
        string? bootIdOfA = context.Journal.Fact(context.Command.UpgradeId, BootIdOfA);
        if (bootIdOfA is null)
        {
            GuestStatus before = await context.CallAsync((guest, _) => guest.StatusAsync(TimeSpan.FromSeconds(2), cancellationToken), cancellationToken).ConfigureAwait(false);
            bootIdOfA = before.BootId;
            context.Journal.Note(context.Command.UpgradeId, BootIdOfA, bootIdOfA);
        }

        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, endpoint.Gone);
        using GuestConnection connection = new(endpoint);
        await LeadServiceAsync(context, toStandbyCard: true, cancellationToken).ConfigureAwait(false);
        CutOverRequest request = new()
        {
            UpgradeId = context.Command.UpgradeId.ToString(),
            Epoch = (ulong)context.Command.Epoch,
            PatienceMs = (uint)context.Options.CutOverPatience.TotalMilliseconds,
        };
        Task<StepResult> call = connection.Client.CutOverAsync(request, connection.Options(context.Deadline, limit.Token)).ResponseAsync;
        try
        {
            await Task.WhenAny(call, Task.Delay(CallPatience, cancellationToken)).ConfigureAwait(false);
            using (context.Timings.Measure("cutover.answer"))
            {
                context.Observed = await WaitForKernelBAsync(context, endpoint, bootIdOfA, call, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await LeadServiceAsync(context, toStandbyCard: false, CancellationToken.None).ConfigureAwait(false);
            await limit.CancelAsync().ConfigureAwait(false);
            await ((Task)call).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (call.IsCompletedSuccessfully)
        {
            context.Timings.Add((await call.ConfigureAwait(false)).Timings);
        }

        // Kernel B writes its own down when its hooks have ended. As a rule they come with the probation: to ask again costs its one processor milliseconds, which its services want now.
        StepRecord? inB = context.Observed.Steps.LastOrDefault(s => s.Step == Step.CutOver);
        AddTimingsOfB(context, inB);
        ThrowIfFailedInB(inB);
        context.Machine.RecordServing(context.Command.ImageDigest);
        context.Progress($"kernel {context.Observed.KernelRelease} serves");
    }

    /// <summary>
    /// Where kernel B answers on the standby card already, the guest's service is asked there while the guest's own card changes hands. Without it, or
    /// when QEMU refuses, the service waits for that card.
    /// </summary>
    public static async Task LeadServiceAsync(StepContext context, bool toStandbyCard, CancellationToken cancellationToken)
    {
        if (context.Journal.Fact(context.Command.UpgradeId, TransferStep.CardServes) is null)
        {
            return;
        }

        try
        {
            using (context.Timings.Measure(toStandbyCard ? "lead.to-standby-card" : "lead.to-own-card"))
            {
                await context.Machine.LeadServiceAsync(toStandbyCard, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            context.Progress($"the service is not asked on {(toStandbyCard ? "the standby card" : "its own card again")}: {e.Message}");
        }
    }

    /// <summary>Kernel B's own times, once, as soon as they are known.</summary>
    public static void AddTimingsOfB(StepContext context, StepRecord? recorded)
    {
        if (recorded is { State: not StepState.Running } && context.Journal.Fact(context.Command.UpgradeId, TimedInB) is null)
        {
            context.Timings.Add(recorded.Timings);
            context.Journal.Note(context.Command.UpgradeId, TimedInB, "yes");
        }
    }

    /// <summary>Kernel B serves, and a hook of the guest's behind the cut-over has failed: it is to be rolled back.</summary>
    public static void ThrowIfFailedInB(StepRecord? recorded)
    {
        if (recorded is { State: StepState.Failed })
        {
            throw new StepException(GuestErrors.ToFailure(recorded.ErrorReason, UpgradeStep.CutOver), recorded.ErrorMessage);
        }
    }

    /// <summary>
    /// A refusal that kernel A gave a reason for ends the step. Any other end of the call does not: the connection may have been
    /// lost with A, and kernel B, asked again, does not know this step.
    /// </summary>
    private static void ThrowIfRefused(Task<StepResult> call)
    {
        if (call.IsFaulted && call.Exception.InnerException is RpcException e
            && e.StepErrorOf() is { Reason: not ("WRONG_STEP" or "CANCELLED") })
        {
            throw e;
        }
    }

    private static async Task<GuestStatus> WaitForKernelBAsync(StepContext context, MachineEndpoint endpoint, string bootIdOfA, Task<StepResult> call, CancellationToken cancellationToken)
    {
        bool refusedByA = false;
        while (true)
        {
            if (endpoint.Gone.IsCancellationRequested)
            {
                throw new StepException(UpgradeFailure.MachineGone, $"The machine of guest {context.Machine.Name} ended at the cut-over; {StandbyConsole.Tail(context)}.");
            }

            ThrowIfRefused(call);
            GuestStatus? status = await GuestConnection.TryAskStatusAsync(endpoint, PollTimeout, cancellationToken).ConfigureAwait(false);
            if (TakeOver.Happened(context.Command, status))
            {
                throw new StepException(UpgradeFailure.TookOver, TakeOver.Reason(context, status!));
            }

            if (status is not null && status.BootId != bootIdOfA)
            {
                return status.TwinBooted
                    ? status
                    : throw new StepException(UpgradeFailure.MachineGone, $"Neither kernel of the cut-over answers but one that firmware booted (boot id {status.BootId}): the machine was reset.");
            }

            StepRecord? recorded = status?.Steps.LastOrDefault(s => s.Step == Step.CutOver);
            if (status is not null && recorded is { State: StepState.Failed })
            {
                context.Observed = status;
                context.Timings.Add(recorded.Timings);
                throw new StepException(
                    GuestErrors.ToFailure(recorded.ErrorReason, UpgradeStep.CutOver),
                    $"Kernel A goes on: {(recorded.ErrorMessage.Length > 0 ? recorded.ErrorMessage : recorded.ErrorReason)} ({StandbyConsole.Tail(context)})");
            }

            // A answers, and knows of no cut-over: twice in a row, as it may have been asked just before it parked.
            if (call.IsCompleted && status is not null && recorded is null)
            {
                if (refusedByA)
                {
                    context.Observed = status;
                    throw new StepException(UpgradeFailure.TransferRefused, "Kernel A answers and has not begun the cut-over.");
                }

                refusedByA = true;
                await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken).ConfigureAwait(false);
            }

            await Task.Delay(Poll, cancellationToken).ConfigureAwait(false);
        }
    }
}
