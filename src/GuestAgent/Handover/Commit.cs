using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// In kernel B: takes the last CPU and all memory. No undo after this: kernel A is gone. A commit that fails halfway is called again and
/// goes on where it stopped.
/// </summary>
public sealed class Commit(ITwinKernelDevice device, MemoryBlocks memory, CpuSwitch cpus)
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
        HashSet<uint> movable = NextSlot(machine, nextSlotBytes);
        foreach (MachineRange range in Missing(machine))
        {
            if (range.Reserved)
            {
                Try(failures, () => context.Measure("memory.release", () => device.AdoptMemory(range.Start, range.Size)));
                continue;
            }

            for (ulong block = (range.Start + blockBytes - 1) / blockBytes * blockBytes; block + blockBytes <= range.End; block += blockBytes)
            {
                ulong start = block;
                Try(failures, () => context.Measure("memory.add", () => device.AdoptMemory(start, blockBytes)));
            }
        }

        PutOnline(context, failures, machine, movable);
        Verify(context, failures, online);
    }

    /// <summary>What this kernel does not own, above 1 MiB and outside the part of its slot that holds ACPI tables and the control block.</summary>
    private static IEnumerable<MachineRange> Missing(MachineView machine) => machine.Ranges
        .Where(range => !range.Owned && range.End > MachineMemory.Floor)
        .Select(range => range.Start < MachineMemory.Floor ? range with { Start = MachineMemory.Floor, Size = range.End - MachineMemory.Floor } : range)
        .Where(range => !IsTables(machine, range));

    /// <summary>1 MiB at the end of the slot that every kernel of a twin boot lives with: 256 pages, counted as the machine's, owned by none.</summary>
    private static bool IsTables(MachineView machine, MachineRange range) =>
        range.Size <= MachineMemory.Floor && (machine.Control == 0 || (machine.Control >= range.Start && machine.Control < range.End));

    private static HashSet<uint> NextSlot(MachineView machine, ulong bytes)
    {
        ulong blockBytes = machine.MemoryBlockBytes;
        int count = MemoryRuns.BlocksFor(Reserve.Wanted(bytes), blockBytes);
        MemoryBlock[] coming = [.. Missing(machine)
            .Where(range => !range.Reserved)
            .SelectMany(range => Enumerable.Range(0, (int)(range.Size / blockBytes)).Select(i => (uint)((range.Start / blockBytes) + (ulong)i)))
            .Select(number => new MemoryBlock(number, Online: true, Movable: true))];
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

        foreach (MachineRange range in Missing(machine))
        {
            failures.Add($"0x{range.Start:x}+0x{range.Size:x} is not owned");
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
