using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Twin;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// Gives everything back to this kernel, in the reverse order of taking: instances stopped, functions with their drivers, slots
/// released, memory and CPUs online. What is to be given back comes from
/// the module and the journal, so that it also works for an agent that was killed in the middle of a step. Idempotent; it goes on past
/// a failure and reports all of them at the end.
/// </summary>
public sealed class GiveBack(ITwinKernelDevice device, UpgradeJournal journal, KernelFiles files, MemoryBlocks memory, CpuSwitch cpus, StandbyNetwork network, Workload.ServiceHandover services)
{
    /// <exception cref="StepFailure">Something could not be given back; the rest was, and it can be called again.</exception>
    public void Everything(StepContext context)
    {
        List<string> failures = [];
        Try(failures, services.LetGo);
        context.Measure("instance.stop", () =>
        {
            Try(failures, network.Close);
            foreach (RunningInstance instance in device.Instances())
            {
                Try(failures, () => device.Stop(instance.Id));
            }
        });
        Functions(context, failures);
        context.Measure("slot.release", () =>
        {
            foreach (ClaimedSlot slot in device.Slots())
            {
                Try(failures, () => device.ReleaseSlot(slot.Id));
            }
        });
        Memory(context, failures);
        Cpus(context, failures);
        if (failures.Count > 0)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.Device, $"Not all could be given back to this kernel: {string.Join("; ", failures)}. Call RollBack again.");
        }
    }

    /// <summary>Puts the blocks that the journal names online again.</summary>
    public void Memory(StepContext context, List<string> failures)
    {
        foreach (TakenBlock block in Enumerable.Reverse(journal.Current?.Blocks ?? []))
        {
            Try(failures, () => context.Measure($"memory.{block.Number}", () =>
            {
                memory.Set(block.Number, block.Movable ? "online_movable" : "online");
                journal.ReturnsBlock(block.Number);
            }));
        }
    }

    /// <summary>Puts the CPUs that the journal names online again.</summary>
    public void Cpus(StepContext context, List<string> failures)
    {
        foreach (uint cpu in Enumerable.Reverse(journal.Current?.Cpus ?? []))
        {
            Try(failures, () => context.Measure($"cpu.{cpu}", () =>
            {
                cpus.Set(cpu, online: true);
                journal.ReturnsCpu(cpu);
            }));
        }
    }

    /// <summary>The module has offered them to this kernel's drivers when the instance ended; one that has none was taken and not given yet.</summary>
    private void Functions(StepContext context, List<string> failures)
    {
        foreach (TakenFunction taken in Enumerable.Reverse(journal.Current?.Functions ?? []))
        {
            Try(failures, () => context.Measure($"function.{taken.Function}", () =>
            {
                string function = $"/sys/bus/pci/devices/{taken.Function}";
                if (files.Exists(function) && !files.Exists($"{function}/driver"))
                {
                    files.Write($"/sys/bus/pci/drivers/{taken.Driver}/bind", taken.Function);
                }

                journal.ReturnsFunction(taken.Function);
            }));
        }
    }

    private static void Try(List<string> failures, Action action)
    {
        try
        {
            action();
        }
        catch (IOException error)
        {
            failures.Add(error.Message);
        }
    }
}
