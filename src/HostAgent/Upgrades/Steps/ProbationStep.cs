using Grpc.Core;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Observation;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>Watches kernel B serve for a settling time, from outside and by its agent, while there is a way back to kernel A.</summary>
internal static class ProbationStep
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(1);

    /// <summary>For one answer of kernel B's agent, which shares one processor with all that was waiting for kernel B. Half of what kernel B gives back the machine after by itself.</summary>
    private static readonly TimeSpan AgentPatience = TimeSpan.FromSeconds(5);

    public static async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        MachineEndpoint endpoint = context.Endpoint;
        OutageObserver observer = context.Observations.Begin(context.Command.UpgradeId, endpoint);
        if (!await observer.WaitAnsweredAsync(context.Options.ProbationMaxGap, cancellationToken).ConfigureAwait(false))
        {
            throw Failed(context, $"the guest's service answers no probe ({context.Options.ProbationMaxGap})");
        }

        observer.AtEase = true;
        TimeSpan since = observer.Elapsed;
        TimeSpan asked = since; // by the cut-over
        using CancellationTokenSource ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<GuestStatus>? asking = null;
        try
        {
            // Hooks behind the cut-over may take longer than the settling time. Until the last has ended kernel B takes no commit, and one that fails ends the upgrade.
            bool hooksRun = true;
            while (hooksRun || asking is not null || observer.Elapsed - since < context.Options.ProbationSettling)
            {
                if (asking is null && observer.Elapsed - asked >= AskEvery)
                {
                    asked = observer.Elapsed;
                    asking = AskAsync(context, endpoint, ends.Token);
                }

                if (asking is { IsCompleted: true })
                {
                    context.Observed = await asking.ConfigureAwait(false);
                    asking = null;
                    hooksRun = HooksRun(context, context.Observed);
                }

                // An agent that is waited for must not hide that the service is silent.
                OutageSnapshot seen = observer.Snapshot(since);
                TimeSpan gap = seen.OpenGap > seen.LongestGap ? seen.OpenGap : seen.LongestGap;
                if (gap > context.Options.ProbationMaxGap)
                {
                    throw Failed(context, $"its service was silent for {gap.TotalMilliseconds:F0} ms, more than Host:ProbationMaxGap ({context.Options.ProbationMaxGap})");
                }

                await Task.Delay(LookEvery, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await ends.CancelAsync().ConfigureAwait(false);
            await ((Task)(asking ?? Task.CompletedTask)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        context.Observed = await AskAsync(context, endpoint, cancellationToken).ConfigureAwait(false);
    }

    private static bool HooksRun(StepContext context, GuestStatus status)
    {
        if (!NewBoot.IsKernelB(context, status))
        {
            throw Failed(context, $"kernel {status.KernelRelease} answers, boot id {status.BootId}, which is not kernel B");
        }

        StepRecord? cutOver = status.Steps.LastOrDefault(step => step.Step == Step.CutOver);
        CutOverStep.AddTimingsOfB(context, cutOver);
        CutOverStep.ThrowIfFailedInB(cutOver);
        return cutOver is { State: StepState.Running };
    }

    private static async Task<GuestStatus> AskAsync(StepContext context, MachineEndpoint endpoint, CancellationToken cancellationToken)
    {
        try
        {
            return await GuestConnection.AskStatusAsync(endpoint, AgentPatience, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e) when (e.IsTransport())
        {
            if (endpoint.Gone.IsCancellationRequested)
            {
                throw new StepException(UpgradeFailure.MachineGone, $"The machine of guest {context.Machine.Name} ended in the probation; {StandbyConsole.Tail(context)}.", e);
            }

            throw Failed(context, $"its agent does not answer: {e.Status.Detail}");
        }
    }

    private static StepException Failed(StepContext context, string what) =>
        new(UpgradeFailure.ProbationFailed, $"Kernel B did not stand its probation: {what} ({StandbyConsole.Tail(context)}).");
}
