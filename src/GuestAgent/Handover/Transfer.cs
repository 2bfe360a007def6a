using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Twin;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>Gives every CPU but one to kernel B: offline here, online there. The machine's boot CPU stays to the end.</summary>
public sealed class Transfer(ITwinKernelDevice device, UpgradeJournal journal, CpuSwitch cpus, TwinInstances instances, TwinLink link)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public void Run(StepContext context)
    {
        RunningInstance instance = instances.OfUpgrade();
        GiveOfflineCpus(context, instance);
        MachineCpu[] online = [.. device.Query().Cpus.Where(cpu => cpu.Online).OrderBy(cpu => cpu.MachineBoot ? 0 : 1).ThenBy(cpu => cpu.Number)];
        foreach (MachineCpu cpu in online.Skip(1).Reverse())
        {
            context.Cancellation.ThrowIfCancellationRequested();
            journal.Takes(cpu.Number);
            try
            {
                context.Measure("cpu.offline", () => cpus.Set(cpu.Number, online: false));
            }
            catch (IOException error)
            {
                throw new StepFailure(StatusCode.FailedPrecondition, Reasons.CpuOfflineFailed, $"CPU {cpu.Number} does not go offline: {error.Message}", error);
            }

            Give(context, instance, cpu);
        }

        context.Facts["cpus.given"] = $"{device.Query().Cpus.Count(cpu => cpu.Instance == instance.Id)}";
    }

    /// <summary>An agent that was killed between "offline here" and "online there" left a CPU with nobody.</summary>
    private void GiveOfflineCpus(StepContext context, RunningInstance instance)
    {
        foreach (MachineCpu cpu in device.Query().Cpus.Where(cpu => !cpu.Online && journal.Current!.Cpus.Contains(cpu.Number)))
        {
            if (cpu.Instance == 0)
            {
                Give(context, instance, cpu);
            }
            else
            {
                Online(context, instance, cpu);
            }
        }
    }

    private void Give(StepContext context, RunningInstance instance, MachineCpu cpu)
    {
        device.GiveCpu(instance.Id, cpu.Number);
        Online(context, instance, cpu);
    }

    private void Online(StepContext context, RunningInstance instance, MachineCpu cpu) =>
        context.Measure("cpu.online", () =>
            link.Ask(instance.Id, new LinkMessage { Sequence = 0, Kind = LinkMessage.OnlineCpu, ApicId = cpu.ApicId }, Patience, context.Cancellation));
}
