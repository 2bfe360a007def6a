using Grpc.Core;
using System.Globalization;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Twin;

/// <summary>Finds the instance of the running upgrade.</summary>
public sealed class TwinInstances(ITwinKernelDevice device, UpgradeJournal journal)
{
    /// <exception cref="StepFailure">The module does not know it any more.</exception>
    public RunningInstance OfUpgrade()
    {
        uint id = uint.Parse(journal.Current!.Find(Wire.Step.Start)!.Facts["instance"], CultureInfo.InvariantCulture);
        foreach (RunningInstance instance in device.Instances())
        {
            if (instance.Id == id)
            {
                return instance;
            }
        }

        throw new StepFailure(StatusCode.FailedPrecondition, Reasons.StandbySilent, $"Instance {id} does not run any more: roll back and begin anew.");
    }
}
