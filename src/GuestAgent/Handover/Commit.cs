using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Twin;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// In kernel B: takes the last CPU and all memory. No undo after this: kernel A is gone. A commit that fails halfway is called again and
/// goes on where it stopped.
/// </summary>
public sealed class Commit(ITwinKernelDevice device, MemoryBlocks memory, CpuSwitch cpus, StandbyCard card, Workload.ServiceHandover services, Probation.ServiceJournals journals)
{
    /// <param name="nextSlotBytes">
    /// So much of the hot-added memory below 4 GiB is put online as movable memory, so that the next upgrade finds a slot; the rest is ordinary memory.
    /// </param>
    public void Run(StepContext context, ulong nextSlotBytes)
    {
        uint online = context.Measure("cpus", device.Commit);
        MachineView machine = device.Query();
        ulong blockBytes = machine.MemoryBlockBytes;
        List<string> failures = [];
        Try(failures, services.Committed);
        HashSet<uint> movable = NextSlot(machine, nextSlotBytes);
        using IDisposable held = memory.KeepOffline();
        foreach ((ulong start, ulong end, bool reserved) in MachineMemory.Missing(machine.Ranges, machine.Control).ToArray())
        {
            if (reserved)
            {
                Try(failures, () => context.Measure("memory.release", () => device.AdoptMemory(start, end - start)));
                continue;
            }

            foreach (uint block in WholeBlocks(start, end, blockBytes))
            {
                Try(failures, () => context.Measure("memory.add", () => device.AdoptMemory(block * blockBytes, blockBytes)));
            }
        }

        PutOnline(context, failures, machine, movable);
        Try(failures, services.Owned);
        Try(failures, card.Close);
        Try(failures, journals.Unplug);
        Verify(context, failures, online);
    }

    private static IEnumerable<uint> WholeBlocks(ulong start, ulong end, ulong blockBytes)
    {
        for (ulong block = (start + blockBytes - 1) / blockBytes; (block + 1) * blockBytes <= end; block++)
        {
            yield return (uint)block;
        }
    }

    private static HashSet<uint> NextSlot(MachineView machine, ulong bytes)
    {
        ulong blockBytes = machine.MemoryBlockBytes;
        int count = MemoryRuns.BlocksFor(Reserve.Wanted(bytes), blockBytes);
        MemoryBlock[] coming = [.. MachineMemory.Missing(machine.Ranges, machine.Control)
            .Where(range => !range.Reserved)
            .SelectMany(range => WholeBlocks(range.Start, range.End, blockBytes))
            .Select(number => new MemoryBlock(number, Online: true, Movable: true, Node: machine.Ranges.First(range => range.Start <= number * blockBytes && number * blockBytes < range.End).Node))];
        return MemoryRuns.Candidates(coming, blockBytes, count, new HashSet<uint>()).Cast<uint?>().FirstOrDefault() is { } first
            ? [.. Enumerable.Range(0, count).Select(i => first + (uint)i)]
            : [];
    }

    private void PutOnline(StepContext context, List<string> failures, MachineView machine, HashSet<uint> movable) => context.Measure("memory.online", () =>
    {
        foreach (MemoryBlock block in memory.List().Where(block => !block.Online))
        {
            ulong start = block.Number * machine.MemoryBlockBytes;
            if (machine.Ranges.Any(range => range.Start < start + machine.MemoryBlockBytes && start < range.End))
            {
                Try(failures, () => memory.Set(block.Number, movable.Contains(block.Number) ? "online_movable" : "online_kernel"));
            }
        }
    });

    private void Verify(StepContext context, List<string> failures, uint online)
    {
        MachineView machine = device.Query();
        int present = cpus.Present().Count;
        if (online != present || machine.Cpus.Any(cpu => !cpu.Online))
        {
            failures.Add($"{machine.Cpus.Count(cpu => cpu.Online)} of {present} CPUs are online");
        }

        foreach ((ulong start, ulong end, _) in MachineMemory.Missing(machine.Ranges, machine.Control))
        {
            failures.Add($"0x{start:x}+0x{end - start:x} is not owned");
        }

        (ulong total, ulong owned) = MachineMemory.Sum(machine.Ranges);
        context.Facts["cpus"] = $"{online}";
        context.Facts["memory.machine"] = $"{total}";
        context.Facts["memory.owned"] = $"{owned}";
        if (failures.Count > 0)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.Device, $"Kernel B serves but does not own everything: {string.Join("; ", failures)}. Call Commit again.");
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
