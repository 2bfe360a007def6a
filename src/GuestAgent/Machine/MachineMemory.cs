using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>What becomes of the machine's memory outside a slot. Pure.</summary>
/// <param name="HeldBack">Parts that do not fill whole blocks: listed in kernel B's map and held back until the commit.</param>
/// <param name="WholeBlocks">Whole, aligned blocks: unknown to kernel B until it hot-adds them at the commit.</param>
public sealed record MachineMemory(IReadOnlyList<(ulong Start, ulong End)> HeldBack, IReadOnlyList<(ulong Start, ulong End)> WholeBlocks)
{
    /// <summary>Memory below this address is the firmware's and the trampolines': never handed on.</summary>
    public const ulong Floor = 1ul << 20;

    private const ulong PageMask = 0xfff;

    /// <summary>Splits the machine's memory above 1 MiB and outside <paramref name="slot"/> at block boundaries.</summary>
    public static MachineMemory Around((ulong Start, ulong End) slot, IEnumerable<MachineRange> machine, ulong blockBytes)
    {
        List<(ulong, ulong)> heldBack = [];
        List<(ulong, ulong)> whole = [];
        foreach ((ulong start, ulong end) in Joined(machine).SelectMany(range => Without(range, slot)))
        {
            ulong first = (start + blockBytes - 1) / blockBytes * blockBytes;
            ulong last = end / blockBytes * blockBytes;
            if (first >= last)
            {
                heldBack.Add((start, end));
                continue;
            }

            if (start < first)
            {
                heldBack.Add((start, first));
            }

            whole.Add((first, last));
            if (last < end)
            {
                heldBack.Add((last, end));
            }
        }

        return new MachineMemory(heldBack, whole);
    }

    /// <summary>Bytes above 1 MiB, and of them those that this kernel owns.</summary>
    public static (ulong Total, ulong Owned) Sum(IEnumerable<MachineRange> machine)
    {
        ulong total = 0, owned = 0;
        foreach (MachineRange range in machine)
        {
            ulong bytes = range.End - Math.Min(range.End, Math.Max(range.Start, Floor));
            total += bytes;
            owned += range.Owned ? bytes : 0;
        }

        return (total, owned);
    }

    /// <summary>
    /// What this kernel does not own, above 1 MiB. The 1 MiB at the end of its slot that holds ACPI tables and the control block
    /// (at <paramref name="control"/>; 0: none) is not missing: it is the machine's, and no kernel's System RAM.
    /// </summary>
    public static IEnumerable<(ulong Start, ulong End, bool Reserved)> Missing(IEnumerable<MachineRange> machine, ulong control)
    {
        (ulong Start, ulong End) tables = control == 0 ? (0, 0) : (control & ~(Floor - 1), (control & ~(Floor - 1)) + Floor);
        return machine
            .Where(range => !range.Owned && range.End > Floor)
            .SelectMany(range => Without((Math.Max(range.Start, Floor), range.End), tables).Select(piece => (piece.Start, piece.End, range.Reserved)));
    }

    /// <summary>
    /// Whole pages only: nothing smaller can be handed on. Ranges are split where their flags change; what touches is one again here.
    /// </summary>
    private static List<(ulong Start, ulong End)> Joined(IEnumerable<MachineRange> machine)
    {
        List<(ulong Start, ulong End)> joined = [];
        foreach (MachineRange range in machine.OrderBy(range => range.Start))
        {
            ulong start = Math.Max(range.Start, Floor);
            if (start < range.End && joined.Count > 0 && joined[^1].End == start)
            {
                joined[^1] = (joined[^1].Start, range.End);
            }
            else if (start < range.End)
            {
                joined.Add((start, range.End));
            }
        }

        return [.. joined
            .Select(range => (Start: (range.Start + PageMask) & ~PageMask, End: range.End & ~PageMask))
            .Where(range => range.Start < range.End)];
    }

    private static IEnumerable<(ulong Start, ulong End)> Without((ulong Start, ulong End) range, (ulong Start, ulong End) slot)
    {
        if (range.Start < Math.Min(range.End, slot.Start))
        {
            yield return (range.Start, Math.Min(range.End, slot.Start));
        }

        if (Math.Max(range.Start, slot.End) < range.End)
        {
            yield return (Math.Max(range.Start, slot.End), range.End);
        }
    }
}
