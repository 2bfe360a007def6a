using System.Globalization;
using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>
/// Takes a CPU and the slot's memory out of this kernel's use and claims the slot: of one NUMA node when one has both. The journal
/// names a resource before it is taken; every failure gives everything back.
/// </summary>
public sealed class Reserve(ITwinKernelDevice device, UpgradeJournal journal, KernelFiles files, MemoryBlocks memory, CpuSwitch cpus, GiveBack giveBack)
{
    /// <summary>384 MiB.</summary>
    public const ulong DefaultSlotBytes = 384ul << 20;

    /// <summary>A slot above this could not lie below 4 GiB beside the device hole.</summary>
    public const ulong MaxSlotBytes = 2ul << 30;

    public static ulong Wanted(ulong slotBytes) => slotBytes == 0 ? DefaultSlotBytes : slotBytes;

    public void Run(StepContext context, ulong slotBytes)
    {
        ulong wanted = Wanted(slotBytes);
        if (wanted is < (64ul << 20) or > MaxSlotBytes)
        {
            throw new StepFailure(StatusCode.InvalidArgument, Reasons.NotEnoughMemory, $"A slot of {wanted} bytes is not possible: 64 MiB to 2 GiB are.");
        }

        // An agent that was killed in the middle of this step left part of it behind.
        giveBack.Everything(context);
        try
        {
            uint cpu = context.Measure("cpu.offline", () => TakeCpu(wanted));
            ClaimedSlot slot = TakeMemory(context, wanted, cpus.Node(cpu));
            context.Facts["cpu"] = $"{cpu}";
            context.Facts["cpu.node"] = $"{cpus.Node(cpu)}";
            context.Facts["slot"] = $"{slot.Id}";
            context.Facts["slot.start"] = $"0x{slot.Start:x}";
            context.Facts["slot.bytes"] = $"{slot.Bytes}";
            context.Facts["slot.boot_reserved"] = slot.BootReserved ? "yes" : "no";
        }
        catch (Exception)
        {
            giveBack.Everything(context);
            throw;
        }
    }

    /// <summary>The first range that the module's parameter <c>reserved=SIZE@START[,...]</c> names and that holds <paramref name="bytes"/>.</summary>
    public static (ulong Start, ulong Bytes)? BootReserved(KernelFiles files, ulong bytes)
    {
        foreach (string range in (files.TryRead("/sys/module/twinkernel/parameters/reserved") ?? "").Split(','))
        {
            string[] parts = range.Split('@');
            if (parts.Length == 2 && TrySize(parts[0], out ulong size) && TrySize(parts[1], out ulong start) && size >= bytes)
            {
                return (start, bytes);
            }
        }

        return null;
    }

    /// <summary>The kernel's own form of sizes: decimal or 0x, with K, M or G behind it.</summary>
    internal static bool TrySize(ReadOnlySpan<char> text, out ulong bytes)
    {
        text = text.Trim();
        int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, _ => 0 };
        text = shift > 0 ? text[..^1] : text;
        bool parsed = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes)
            : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out bytes);
        bytes <<= shift;
        return parsed;
    }

    private uint TakeCpu(ulong wanted)
    {
        // The machine's boot processor last: its reset takes the way through the firmware. Then whom no memory can be given from its node.
        HashSet<uint> nodes = NodesWithMemory(wanted);
        MachineCpu[] candidates = [.. device.Query().Cpus
            .Where(cpu => cpu.Online && cpus.CanGoOffline(cpu.Number))
            .OrderBy(cpu => cpu.MachineBoot).ThenByDescending(cpu => nodes.Contains(cpus.Node(cpu.Number))).ThenByDescending(cpu => cpu.Number)];
        if (candidates.Length == 0 || cpus.Online().Count < 2)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.NotEnoughCpus, "No CPU can be set aside: a single-CPU guest cannot twin. Give it a second one, or upgrade it by a reboot.");
        }

        uint chosen = candidates[0].Number;
        journal.Takes(chosen);
        try
        {
            cpus.Set(chosen, online: false);
        }
        catch (IOException error)
        {
            throw new StepFailure(StatusCode.FailedPrecondition, Reasons.CpuOfflineFailed, $"CPU {chosen} does not go offline: {error.Message}", error);
        }

        return chosen;
    }

    private HashSet<uint> NodesWithMemory(ulong wanted)
    {
        ulong blockBytes = memory.BlockBytes();
        IReadOnlyList<MemoryBlock> blocks = memory.List();
        HashSet<uint> starts = [.. MemoryRuns.Candidates(blocks, blockBytes, MemoryRuns.BlocksFor(wanted, blockBytes), new HashSet<uint>())];
        return [.. blocks.Where(block => starts.Contains(block.Number)).Select(block => block.Node)];
    }

    private ClaimedSlot TakeMemory(StepContext context, ulong wanted, uint node)
    {
        ulong blockBytes = memory.BlockBytes();
        int count = MemoryRuns.BlocksFor(wanted, blockBytes);
        HashSet<uint> refused = [];
        List<string> reasons = [];
        while (MemoryRuns.Candidates(memory.List(), blockBytes, count, refused, node).Cast<uint?>().FirstOrDefault() is { } first)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (context.Measure("memory.offline", () => TakeRun(first, count, refused, reasons)))
            {
                return context.Measure("slot.claim", () => device.ClaimSlot(first * blockBytes, (ulong)count * blockBytes));
            }

            List<string> failures = [];
            giveBack.Memory(context, failures);
            if (failures.Count > 0)
            {
                throw new StepFailure(StatusCode.FailedPrecondition, Reasons.Device, string.Join("; ", failures));
            }
        }

        return BootReserved(files, (ulong)count * blockBytes) is { } range
            ? context.Measure("slot.claim", () => device.ClaimSlot(range.Start, range.Bytes))
            : throw new StepFailure(StatusCode.FailedPrecondition, Reasons.NotEnoughMemory,
                $"No {count} contiguous memory blocks of {blockBytes >> 20} MiB below 4 GiB go offline, and no slot was reserved at boot. {string.Join("; ", reasons)}".TrimEnd());
    }

    private bool TakeRun(uint first, int count, HashSet<uint> refused, List<string> reasons)
    {
        for (uint block = first; block < first + count; block++)
        {
            journal.Takes(new TakenBlock(block, memory.IsMovableZone(block)));
            try
            {
                memory.Set(block, "offline");
            }
            catch (IOException error)
            {
                refused.Add(block);
                reasons.Add(error.Message);
                return false;
            }
        }

        return true;
    }
}
