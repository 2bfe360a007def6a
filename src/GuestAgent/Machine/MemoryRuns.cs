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
        HashSet<uint> usable = [.. blocks
            .Where(block => block is { Online: true, Movable: true, Number: > 0 } && (block.Number + 1ul) * blockBytes <= Ceiling && !refused.Contains(block.Number))
            .Select(block => block.Number)];
        HashSet<uint> easy = [.. blocks.Where(block => block.MovableZone).Select(block => block.Number)];
        Dictionary<uint, uint> nodes = blocks.ToDictionary(block => block.Number, block => block.Node);
        return usable
            .Where(first => Run(first).All(block => usable.Contains(block) && nodes[block] == nodes[first]))
            .OrderBy(first => nodes[first] == node ? 0 : 1)
            .ThenBy(first => Run(first).All(easy.Contains) ? 0 : 1)
            .ThenBy(first => first);

        IEnumerable<uint> Run(uint first) => Enumerable.Range(0, count).Select(offset => first + (uint)offset);
    }
}
