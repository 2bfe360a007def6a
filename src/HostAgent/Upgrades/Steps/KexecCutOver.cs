using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Kernel A jumps to kernel B, which it has loaded, in the same run of the machine.</summary>
internal static class KexecCutOver
{
    private static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        MachineEndpoint endpoint = context.Endpoint;
        await NewBoot.BeginAsync(context, endpoint, cancellationToken).ConfigureAwait(false);

        // Before the jump: whoever finds another kernel than A afterwards must know that it is only tried.
        context.Machine.RecordServing(context.Command.ImageDigest);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, endpoint.Gone);
        using GuestConnection connection = new(endpoint);
        CutOverRequest request = new() { UpgradeId = context.Command.UpgradeId.ToString(), Epoch = (ulong)context.Command.Epoch };
        Task<StepResult> call = connection.Client.CutOverAsync(request, connection.Options(context.Deadline, limit.Token)).ResponseAsync;
        try
        {
            await Task.WhenAny(call, Task.Delay(CallPatience, cancellationToken)).ConfigureAwait(false);
            if (call.IsCompletedSuccessfully)
            {
                context.Timings.Add((await call.ConfigureAwait(false)).Timings);
            }

            using (context.Timings.Measure("cutover.boot"))
            {
                await NewBoot.WaitAsync(context, endpoint, a => ThrowIfRefused(call, a), cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await limit.CancelAsync().ConfigureAwait(false);
            await ((Task)call).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static void ThrowIfRefused(Task<StepResult> call, Contracts.Guest.Status a)
    {
        if (call.IsFaulted && call.Exception.InnerException is RpcException e && e.StepErrorOf() is not null)
        {
            throw e;
        }

        if (a.Steps.LastOrDefault(s => s.Step == Step.CutOver) is { State: StepState.Failed } failed)
        {
            throw new StepException(UpgradeFailure.KexecRefused, $"Kernel A goes on: {failed.ErrorMessage}");
        }
    }
}
