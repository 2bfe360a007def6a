namespace TwinKernel.Fleet.BootImage;

/// <summary>Where processors and memory of the machine belong.</summary>
/// <param name="Cpus">The node of each CPU, by APIC id.</param>
/// <param name="Memory">The machine's memory and its nodes: whole pages that do not overlap, in any order.</param>
public sealed record NumaNodes(IReadOnlyDictionary<uint, uint> Cpus, IReadOnlyList<NodeMemory> Memory)
{
    /// <summary>Linux knows nodes below MAX_NUMNODES (1024 in Debian's kernels).</summary>
    public const uint Limit = 1024;

    /// <summary>The memory in order, pieces of one node that touch as one.</summary>
    internal IReadOnlyList<NodeMemory> Joined()
    {
        List<NodeMemory> joined = [];
        foreach (var piece in Memory.OrderBy(piece => piece.Range.Start))
        {
            if (joined.Count > 0 && joined[^1].Node == piece.Node && joined[^1].Range.End == piece.Range.Start)
            {
                joined[^1] = piece with { Range = new PhysicalRange(joined[^1].Range.Start, joined[^1].Range.Size + piece.Range.Size) };
            }
            else
            {
                joined.Add(piece);
            }
        }

        return joined;
    }

    /// <summary>True when all of a range belongs to some node.</summary>
    internal bool Covers(PhysicalRange range)
    {
        var at = range.Start;
        foreach (var piece in Joined().Where(piece => piece.Range.Contains(at)))
        {
            at = piece.Range.End;
        }

        return at >= range.End;
    }
}

/// <summary>Memory of one NUMA node.</summary>
/// <param name="Node">Its number.</param>
/// <param name="Range">Where it is.</param>
public readonly record struct NodeMemory(uint Node, PhysicalRange Range);
