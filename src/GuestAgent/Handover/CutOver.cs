using Grpc.Core;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Hooks;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// Tells kernel B all it needs, and parks this kernel. A park that returns means that kernel B gave up or fell silent: the card, the
/// address, CPUs and memory come back and this kernel goes on.
/// </summary>
public sealed partial class CutOver(
    ITwinKernelDevice device, GuestNetwork network, TwinInstances instances, HandoverOffer offer, GiveBack giveBack, ServiceHandover services, StepRunner runner, StepHooks hooks, ILogger<CutOver> logger)
{
    /// <summary>One second of silence: an emulated CPU on a busy host stands still for hundreds of milliseconds without being dead.</summary>
    public const uint DefaultPatienceMs = 1000;

    private static readonly TimeSpan InterfacePatience = TimeSpan.FromSeconds(5);

    /// <summary>Up to the answer of the call: kernel B knows and agrees. Nothing is lost yet.</summary>
    public void Prepare(StepContext context, uint patienceMs)
    {
        if (patienceMs is < 10 or > 60_000)
        {
            throw new StepFailure(StatusCode.InvalidArgument, Reasons.WrongStep, $"patience_ms is {patienceMs}; 10 to 60000 are possible.");
        }

        RunningInstance instance = instances.OfUpgrade();
        int online = device.Query().Cpus.Count(cpu => cpu.Online);
        if (online != 1)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.WrongStep, $"{online} CPUs are online in this kernel; all but one go over before the cut-over (Transfer).");
        }

        PciFunction[] functions = offer.Make(context, instance, failover: false);
        context.Facts["instance"] = $"{instance.Id}";
        context.Facts["function"] = string.Join(' ', functions);
        context.Facts["patience_ms"] = $"{patienceMs}";
    }

    /// <summary>Behind the answer. Returns only when this kernel goes on; then the step is recorded as failed and the upgrade as rolled back.</summary>
    public void Park(StepContext context, uint patienceMs)
    {
        try
        {
            RunningInstance instance = instances.OfUpgrade();
            GuestInterface own = network.Interface!;
            NetworkConfiguration configuration = network.Configuration!;
            IReadOnlyList<Neighbour> neighbours = network.Neighbours();
            services.Hold(context, instance.Id);
            ParkResult result = device.Park(instance.Id, TimeSpan.FromMilliseconds(patienceMs), [own.Function]);
            context.Add("parked", result.Parked);
            ComeBack(context, own, configuration, neighbours, result);
        }
        catch (Exception error)
        {
            // The module refused to park, or a service could not be brought to rest: kernel B still waits, nothing has moved. The caller sees it in
            // the status and rolls back, which lets writes go on should that fail here.
            Try(services.LetGo);
            hooks.After(context, error);
            runner.Record(context, error);
        }
    }

    private void ComeBack(StepContext context, GuestInterface own, NetworkConfiguration configuration, IReadOnlyList<Neighbour> neighbours, ParkResult result)
    {
        StepFailure returned = new(StatusCode.FailedPrecondition, Reasons.CutOverReturned, result.End switch
        {
            ParkEnd.Silent => $"Kernel B fell silent after the cut-over; this kernel went on after {result.Parked.TotalMilliseconds:0.0} ms.",
            ParkEnd.Panicked => $"Kernel B panicked after the cut-over; this kernel went on after {result.Parked.TotalMilliseconds:0.0} ms.",
            ParkEnd.Corrupt => $"Kernel B overwrote what the two kernels share; this kernel went on after {result.Parked.TotalMilliseconds:0.0} ms.",
            _ => $"Kernel B gave the machine back; this kernel went on after {result.Parked.TotalMilliseconds:0.0} ms.",
        });
        Try(() => services.ComeBack(context));
        try
        {
            context.Measure("return.network", () => network.Rebind(own, configuration, InterfacePatience, neighbours));
        }
        catch (Exception error) when (error is IOException or TimeoutException)
        {
            Log.NetworkLost(logger, own.Name, error.Message);
        }

        Log.WentOn(logger, result.End, result.Parked.TotalMilliseconds);
        hooks.After(context, returned);
        runner.Record(context, returned);
        StepContext rollBack = new(Contracts.Guest.Step.RollBack, context.UpgradeId, context.Epoch, CancellationToken.None);
        StepFailure? failure = null;
        try
        {
            hooks.Before(rollBack);
            giveBack.Everything(rollBack);
        }
        catch (StepFailure error)
        {
            failure = error;
        }

        hooks.After(rollBack, failure);
        runner.Record(rollBack, failure);
    }

    private void Try(Action action)
    {
        try
        {
            action();
        }
        catch (IOException error)
        {
            Log.ServiceLost(logger, error.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(200, LogLevel.Warning, "cutover: this kernel goes on ({End}) after {Milliseconds:0.0} ms")]
        public static partial void WentOn(ILogger logger, ParkEnd end, double milliseconds);

        [LoggerMessage(202, LogLevel.Critical, "cutover: a service does not go on: {Message}")]
        public static partial void ServiceLost(ILogger logger, string message);

        [LoggerMessage(201, LogLevel.Critical, "cutover: the network interface {Interface} did not come back: {Message}")]
        public static partial void NetworkLost(ILogger logger, string @interface, string message);
    }
}
