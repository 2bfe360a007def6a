using System.Globalization;
using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>Starts kernel B on the CPU that was set aside; done when that CPU has left the trampoline.</summary>
public sealed class Start(ITwinKernelDevice device, UpgradeJournal journal)
{
    public void Run(StepContext context)
    {
        StepEntry reserve = journal.Current!.Find(Wire.Step.Reserve)!;
        uint slot = uint.Parse(reserve.Facts["slot"], CultureInfo.InvariantCulture);
        uint cpu = uint.Parse(reserve.Facts["cpu"], CultureInfo.InvariantCulture);
        StepEntry load = journal.Current.Find(Wire.Step.Load)!;
        LaunchAddresses addresses = Load.Addresses(load);

        // An agent that was killed behind the launch finds the instance running.
        uint? running = device.Instances().Where(instance => instance.Slot == slot).Select(instance => (uint?)instance.Id).FirstOrDefault();
        try
        {
            uint instance = running ?? context.Measure("launch", () => device.Launch(slot, cpu, addresses, load.Facts["image"]));
            context.Facts["instance"] = $"{instance}";
            context.Facts["cpu"] = $"{cpu}";
        }
        catch (DeviceException error) when (error.Errno == Errno.ETIMEDOUT)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.LaunchTimedOut, $"CPU {cpu} did not leave the trampoline within a second; it was reset.", error);
        }
    }
}
