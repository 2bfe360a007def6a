using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// Gives everything back to this kernel: instances stopped, slots released, memory and CPUs online. What is to be given back comes from
/// the module and the journal, so that it also works for an agent that was killed in the middle of a step. Idempotent; it goes on past
/// a failure and reports all of them at the end.
/// </summary>
public sealed class GiveBack(ITwinKernelDevice device, UpgradeJournal journal, MemoryBlocks memory, CpuSwitch cpus)
{
    /// <exception cref="StepFailure">Something could not be given back; the rest was, and it can be called again.</exception>
    public void Everything(StepContext context)
    {
        List<string> failures = [];
        context.Measure("instance.stop", () =>
        {
            foreach (RunningInstance instance in device.Instances())
            {
                Try(failures, () => device.Stop(instance.Id));
            }
        });
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
    public void Memory(StepContext context, List<string> failures) => context.Measure("memory.online", () =>
    {
        foreach (TakenBlock block in journal.Current?.Blocks.Values ?? [])
        {
            Try(failures, () =>
            {
                memory.Set(block.Number, block.Movable ? "online_movable" : "online");
                journal.ReturnsBlock(block.Number);
            });
        }
    });

    /// <summary>Puts the CPUs that the journal names online again.</summary>
    public void Cpus(StepContext context, List<string> failures) => context.Measure("cpu.online", () =>
    {
        foreach (uint cpu in journal.Current?.Cpus ?? [])
        {
            Try(failures, () =>
            {
                cpus.Set(cpu, online: true);
                journal.ReturnsCpu(cpu);
            });
        }
    });

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
