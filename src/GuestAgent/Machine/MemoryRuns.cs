namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>Which memory blocks to try for a slot. Pure.</summary>
public static class MemoryRuns
{
    /// <summary>A slot must lie below this: the boot protocol's 32-bit addresses and the identity map of the launch end there.</summary>
    public const ulong Ceiling = 1ul << 32;

    /// <summary>How many whole blocks hold <paramref name="bytes"/>.</summary>
    public static int BlocksFor(ulong bytes, ulong blockBytes) => checked((int)((bytes + blockBytes - 1) / blockBytes));

    /// <summary>
    /// The first blocks of every run of <paramref name="count"/> contiguous blocks of one NUMA node that are online, movable, wholly below
    /// 4 GiB, not block 0 and without one that has <paramref name="refused"/>. Runs of <paramref name="node"/> first. Then those of
    /// movable zones, as a committed kernel sets one aside for its successor; then the lowest: what a kernel allocates for good while
    /// it boots comes from the top of its memory.
    /// </summary>
    public static IEnumerable<uint> Candidates(IReadOnlyList<MemoryBlock> blocks, ulong blockBytes, int count, IReadOnlySet<uint> refused, uint? node = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfZero(blockBytes);
        return Runs([.. blocks.Where(block => (block.Number + 1ul) * blockBytes <= Ceiling)], count, refused)
            .OrderBy(run => run[0].Node == node ? 0 : 1)
            .ThenBy(run => run.All(block => block.MovableZone) ? 0 : 1)
            .ThenBy(run => run[0].Number)
            .Select(run => run[0].Number);
    }

    /// <summary>
    /// The same for memory that is taken for good, wherever it lies: the highest first, to leave those of a slot together, and those of
    /// movable zones last.
    /// </summary>
    public static IEnumerable<uint> FromTheTop(IReadOnlyList<MemoryBlock> blocks, int count, IReadOnlySet<uint> refused)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return Runs(blocks, count, refused)
            .OrderBy(run => run.Any(block => block.MovableZone) ? 1 : 0)
            .ThenByDescending(run => run[0].Number)
            .Select(run => run[0].Number);
    }

    private static IEnumerable<MemoryBlock[]> Runs(IReadOnlyList<MemoryBlock> blocks, int count, IReadOnlySet<uint> refused)
    {
        Dictionary<uint, MemoryBlock> usable = blocks
            .Where(block => block is { Online: true, Movable: true, Number: > 0 } && !refused.Contains(block.Number))
            .ToDictionary(block => block.Number);
        return usable.Keys
            .Where(first => Enumerable.Range(0, count).All(offset => usable.TryGetValue(first + (uint)offset, out MemoryBlock block) && block.Node == usable[first].Node))
            .Select(first => Enumerable.Range(0, count).Select(offset => usable[first + (uint)offset]).ToArray());
    }
}
