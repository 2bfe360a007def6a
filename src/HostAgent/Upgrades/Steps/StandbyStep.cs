using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Waits until kernel B's agent is ready, and listens on B's console meanwhile: a panic there need not be waited out.</summary>
internal static class StandbyStep
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(2);

    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        using CancellationTokenSource panicked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        StandbyRequest request = new()
        {
            UpgradeId = context.Command.UpgradeId.ToString(),
            Epoch = (ulong)context.Command.Epoch,
            TakeOverOnPanic = context.Command.OnPanic == PanicPolicy.Failover,
        };
        if (request.TakeOverOnPanic)
        {
            // A take-over may come at any moment from here on, and its outage is wanted too.
            context.Observations.Begin(context.Command.UpgradeId, context.Endpoint);
        }

        Task<StepResult> ready = context.StepAsync(
            (guest, options) => guest.Client.AwaitStandbyAsync(request, options).ResponseAsync, panicked.Token);
        try
        {
            while (await Task.WhenAny(ready, Task.Delay(LookEvery, cancellationToken)).ConfigureAwait(false) != ready)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (StandbyConsole.PanicLine(context) is { } line && await OutlivedAsync(context, cancellationToken).ConfigureAwait(false))
                {
                    throw Panicked(context, line);
                }
            }

            await ready.ConfigureAwait(false);
        }
        catch (Exception e) when (cancellationToken.IsCancellationRequested && e is RpcException or OperationCanceledException)
        {
            throw new OperationCanceledException($"Kernel B did not report in; {StandbyConsole.Tail(context)}.", e, cancellationToken);
        }
        catch (RpcException e) when (!e.IsCancellation() && e.StepErrorOf() is { } error)
        {
            throw StandbyConsole.PanicLine(context) is { } line
                ? Panicked(context, line)
                : new StepException(GuestErrors.ToFailure(error.Reason, UpgradeStep.Standby), $"{error.Message} ({StandbyConsole.Tail(context)})", e);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.DeadlineExceeded)
        {
            throw new StepException(UpgradeFailure.StandbyKernelSilent, $"Kernel B did not report in within {context.Command.Deadline}; {StandbyConsole.Tail(context)}.", e);
        }
        finally
        {
            await panicked.CancelAsync().ConfigureAwait(false);
            await Quietly(ready).ConfigureAwait(false);
        }
    }

    /// <summary>A panic that kernel A outlives is kernel B's. One of A's own ends the machine, which the call under way tells.</summary>
    private static async Task<bool> OutlivedAsync(StepContext context, CancellationToken cancellationToken)
    {
        try
        {
            await GuestConnection.AskStatusAsync(context.Endpoint, AnswerPatience, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RpcException)
        {
            return false;
        }
    }

    private static StepException Panicked(StepContext context, string line) =>
        new(UpgradeFailure.StandbyKernelPanicked, $"Kernel B panicked: {line} ({StandbyConsole.Tail(context)})");

    private static async Task Quietly(Task task)
    {
        try
        {
            await task.ConfigureAwait(false);
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException or StepException)
        {
            // Its outcome was decided above.
        }
    }
}
