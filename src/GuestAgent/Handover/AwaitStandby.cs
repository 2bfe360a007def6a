using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// Waits until kernel B's agent is ready, and makes it reachable from outside where that is wanted. From then on it may be the one that a
/// panic of this kernel hands the machine to.
/// </summary>
public sealed class AwaitStandby(ITwinKernelDevice device, Twin.TwinInstances instances, Twin.StandbyNetwork network, HandoverOffer offer, Workload.ServiceHandover services, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// A kernel that was alive and whose heart has stood still for this long is dead. Nothing is lost by being patient:
    /// kernel A serves meanwhile, and an emulated CPU on a busy host may stand still for seconds.
    /// </summary>
    private static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(15);

    /// <param name="patience">When to answer that kernel B is silent.</param>
    /// <param name="takeOverOnPanic">Kernel B is told what to take, and this kernel is armed.</param>
    public void Run(StepContext context, TimeSpan patience, bool takeOverOnPanic)
    {
        long started = time.GetTimestamp();
        RunningInstance instance = Wait(context, patience);
        context.Facts["instance"] = $"{instance.Id}";
        context.Facts["kernel_release"] = instance.Release;
        network.Open(context, instance.Id);
        services.Warm(context, instance.Id, patience - time.GetElapsedTime(started));
        if (takeOverOnPanic)
        {
            PciFunction[] functions = offer.Make(context, instance, failover: true);
            context.Measure("arm", () => device.Arm(instance.Id, functions));
            context.Facts["on_panic"] = "failover";
        }
    }

    private RunningInstance Wait(StepContext context, TimeSpan patience)
    {
        long started = time.GetTimestamp();
        InstanceState seen = InstanceState.Launched;
        while (true)
        {
            RunningInstance instance = instances.OfUpgrade();
            if (instance.State != seen)
            {
                context.Add($"until.{instance.State.ToString().ToLowerInvariant()}", time.GetElapsedTime(started));
                seen = instance.State;
            }

            switch (instance.State)
            {
                case InstanceState.Ready or InstanceState.Serving:
                    return instance;
                case InstanceState.Panicked:
                    throw new StepFailure(StatusCode.FailedPrecondition, Reasons.StandbyPanicked, $"Kernel B ({instance.Release}) panicked before it was ready; its console says why.");
                case InstanceState.Alive when instance.BeatAge > SilenceLimit:
                    throw new StepFailure(StatusCode.FailedPrecondition, Reasons.StandbySilent, $"Kernel B ({instance.Release}) was alive, but its heart has stood still for {instance.BeatAge.TotalSeconds:0.0} s.");
            }

            TimeSpan waited = time.GetElapsedTime(started);
            if (waited >= patience)
            {
                throw new StepFailure(StatusCode.DeadlineExceeded, Reasons.StandbySilent, $"Kernel B was not ready after {waited.TotalSeconds:0.0} s; it is {instance.State.ToString().ToLowerInvariant()}.");
            }

            context.Cancellation.WaitHandle.WaitOne(Interval);
            context.Cancellation.ThrowIfCancellationRequested();
        }
    }
}
