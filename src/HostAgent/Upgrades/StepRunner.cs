using Grpc.Core;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Upgrades.Steps;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>A step's result: one of the two.</summary>
internal sealed record StepOutcome(StepCompleted? Completed, StepFailed? Failed);

/// <summary>Carries one step out within its deadline and turns whatever happens into a result.</summary>
internal static class StepRunner
{
    private static readonly TimeSpan LastLook = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(200);

    /// <param name="context">Of the step.</param>
    /// <param name="took">How long the step has been going, from its acceptance.</param>
    /// <param name="superseded">Cancelled when another command of the guest ends this one.</param>
    /// <param name="stopping">Cancelled when the agent ends; then there is no result.</param>
    /// <exception cref="OperationCanceledException">The agent ends.</exception>
    public static async Task<StepOutcome> RunAsync(StepContext context, Func<TimeSpan> took, CancellationToken superseded, CancellationToken stopping)
    {
        TimeSpan remaining = context.Deadline - context.Time.GetUtcNow();
        using CancellationTokenSource deadline = new(remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero, context.Time);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, superseded, stopping);
        ExecuteStep command = context.Command;
        try
        {
            limit.Token.ThrowIfCancellationRequested();
            await CheckMachineAsync(context, limit.Token).ConfigureAwait(false);
            await DispatchAsync(context, limit.Token).ConfigureAwait(false);
            ObservedOutage? outage = Outage(context);
            return new StepOutcome(
                new StepCompleted
                {
                    UpgradeId = command.UpgradeId,
                    Host = command.Host,
                    Epoch = command.Epoch,
                    Step = command.Step,
                    Timings = context.Timings.With(Name(command.Step), took()),
                    Guest = (context.Observed ?? await LookAsync(context, stopping).ConfigureAwait(false))?.ToObservation(context.Time.GetUtcNow()),
                    Outage = outage,
                    Strategy = context.Chosen,
                    StrategyReason = context.ChosenBecause,
                    Signature = context.Signature,
                },
                null);
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            throw new OperationCanceledException(stopping);
        }
        catch (Exception e)
        {
            if (e is RpcException rpc && rpc.StepErrorOf() is { } error)
            {
                context.Timings.Add(error.Timings);
            }

            GuestStatus? seen = await LookAsync(context, stopping).ConfigureAwait(false);
            stopping.ThrowIfCancellationRequested();
            ObservedOutage? outage = Outage(context);
            (UpgradeFailure failure, string reason) = TakeOver.Happened(command, seen)
                ? (UpgradeFailure.TookOver, TakeOver.Reason(context, seen!))
                : Explain(context, e, seen is not null, superseded.IsCancellationRequested);
            return new StepOutcome(null, Failed(command, failure, reason) with
            {
                Timings = context.Timings.With(Name(command.Step), took()),
                Guest = seen?.ToObservation(context.Time.GetUtcNow()),
                Outage = outage,
            });
        }
        finally
        {
            if (command.Step is UpgradeStep.Commit or UpgradeStep.RollBack)
            {
                context.Observations.End(command.UpgradeId);
            }
        }
    }

    /// <summary>A failure without anything measured.</summary>
    public static StepFailed Failed(ExecuteStep command, UpgradeFailure failure, string reason) => new()
    {
        UpgradeId = command.UpgradeId,
        Host = command.Host,
        Epoch = command.Epoch,
        Step = command.Step,
        Failure = failure,
        Reason = reason,
        Timings = [],
    };

    /// <summary>
    /// An upgrade goes on only in the run of the machine that it began in, or that its own reboot made: after another start nothing of
    /// it is left there. A roll back is what brings that in order.
    /// </summary>
    private static async Task CheckMachineAsync(StepContext context, CancellationToken cancellationToken)
    {
        await context.Machine.Settled.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (context.Command.Step == UpgradeStep.RollBack)
        {
            return;
        }

        string run = context.Endpoint.Run.ToString();
        string? begun = context.Journal.Fact(context.Command.UpgradeId, NewBoot.RunOfB) ?? context.Journal.Fact(context.Command.UpgradeId, NewBoot.RunOfA);
        if (begun is null)
        {
            context.Journal.Note(context.Command.UpgradeId, NewBoot.RunOfA, run);
        }
        else if (begun != run && context.Command is not { Step: UpgradeStep.CutOver, Strategy: UpgradeStrategy.Reboot })
        {
            throw new StepException(UpgradeFailure.MachineGone, $"The machine of guest {context.Machine.Name} has ended since the upgrade began, and was started again.");
        }
    }

    private static string Name(UpgradeStep step) => step.ToString().ToLowerInvariant();

    private static Task DispatchAsync(StepContext context, CancellationToken cancellationToken) => context.Command.Step switch
    {
        UpgradeStep.Preflight => PreflightStep.RunAsync(context, cancellationToken),
        UpgradeStep.Reserve => ReserveStep.RunAsync(context, cancellationToken),
        UpgradeStep.Load => LoadStep.RunAsync(context, cancellationToken),
        UpgradeStep.Boot => BootStep.RunAsync(context, cancellationToken),
        UpgradeStep.Standby => StandbyStep.RunAsync(context, cancellationToken),
        UpgradeStep.Transfer => TransferStep.RunAsync(context, cancellationToken),
        UpgradeStep.CutOver => context.Command.Strategy switch
        {
            UpgradeStrategy.Kexec => KexecCutOver.RunAsync(context, cancellationToken),
            UpgradeStrategy.Reboot => RebootCutOver.RunAsync(context, cancellationToken),
            _ => CutOverStep.RunAsync(context, cancellationToken),
        },
        UpgradeStep.Probation => ProbationStep.RunAsync(context, cancellationToken),
        UpgradeStep.Commit => CommitStep.RunAsync(context, cancellationToken),
        UpgradeStep.RollBack => RollBackStep.RunAsync(context, cancellationToken),
        _ => throw new StepException(UpgradeFailure.Internal, $"This agent knows no step {context.Command.Step}; it is older than the coordinator."),
    };

    private static ObservedOutage? Outage(StepContext context) =>
        context.Command.Step >= UpgradeStep.CutOver ? context.Observations.Report(context.Command.UpgradeId) : null;

    /// <summary>What the guest says of itself; null when it does not answer, neither kernel of it. Never fails.</summary>
    private static async Task<GuestStatus?> LookAsync(StepContext context, CancellationToken stopping)
    {
        TimeSpan patience = TakeOver.IsPossible(context.Command) ? TakeOver.Patience : TimeSpan.Zero;
        long started = context.Time.GetTimestamp();
        while (context.Machine.Endpoint is { } endpoint)
        {
            try
            {
                return await GuestConnection.AskStatusAsync(endpoint, LastLook, stopping).ConfigureAwait(false);
            }
            catch (Exception e) when (e is RpcException or OperationCanceledException)
            {
                if (stopping.IsCancellationRequested || context.Time.GetElapsedTime(started) >= patience)
                {
                    return null;
                }
            }

            await Task.Delay(LookAgain, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return null;
    }

    private static (UpgradeFailure Failure, string Reason) Explain(StepContext context, Exception e, bool guestAnswers, bool superseded)
    {
        UpgradeStep step = context.Command.Step;
        bool atDeadline = e is OperationCanceledException
            || (e is RpcException { StatusCode: StatusCode.Cancelled or StatusCode.DeadlineExceeded } call && (call.IsTransport() || call.IsCancellation()));
        string overdue = $"{step} did not finish within {context.Command.Deadline}";
        bool always = step is UpgradeStep.Standby or UpgradeStep.Commit or UpgradeStep.RollBack;
        return e switch
        {
            StepException known => (known.Failure, known.Message),
            RpcException rpc when !atDeadline && rpc.StepErrorOf() is { } error => (GuestErrors.ToFailure(error.Reason, step), $"{error.Message} ({error.Reason})"),
            _ when superseded && atDeadline => (UpgradeFailure.Internal, $"{step} was given up: a newer command for guest {context.Command.Guest} came."),
            _ when atDeadline && context.Machine.Endpoint is null => (UpgradeFailure.MachineGone, $"The machine of guest {context.Command.Guest} ended during {step}. {StandbyConsole.Tail(context)}"),
            OperationCanceledException { InnerException: not null } cancelled when step == UpgradeStep.CutOver && context.Command.Strategy != UpgradeStrategy.Twin
                => (UpgradeFailure.NewKernelSilent, $"{overdue}. {cancelled.Message}"),
            OperationCanceledException { InnerException: not null } cancelled => (OfDeadline(step, guestAnswers || always), $"{overdue}. {cancelled.Message}"),
            _ when atDeadline => (OfDeadline(step, guestAnswers || always), guestAnswers ? $"{overdue}; its agent answers." : $"{overdue}; the agent of guest {context.Command.Guest} does not answer."),
            RpcException { StatusCode: StatusCode.Unauthenticated } => (UpgradeFailure.GuestAgentUnreachable, $"The agent of guest {context.Command.Guest} refuses the guest's token."),
            RpcException rpc when rpc.IsTransport() => context.Machine.Endpoint is null
                ? (UpgradeFailure.MachineGone, $"The machine of guest {context.Command.Guest} ended during {step}.")
                : (UpgradeFailure.GuestAgentUnreachable, $"The agent of guest {context.Command.Guest} does not answer: {rpc.Status.Detail}"),
            RpcException rpc => (UpgradeFailure.Internal, $"The agent of guest {context.Command.Guest} answered {rpc.StatusCode}: {rpc.Status.Detail}"),
            _ => (UpgradeFailure.Internal, $"{e.GetType().Name}: {e.Message}"),
        };
    }

    private static UpgradeFailure OfDeadline(UpgradeStep step, bool knownToBeOfTheStep) =>
        knownToBeOfTheStep ? GuestErrors.OfStep(step) : UpgradeFailure.GuestAgentUnreachable;
}
