namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>
/// Which memory goes to kernel B before the cut-over. By default none: kernel B has no use for it before it serves, and every block
/// that has gone has to come back when the upgrade is cancelled; the commit moves it when nobody has to share. A guest that wants
/// it earlier says <c>twinkernel.transfer_memory=spare</c> on its kernel's command line: then blocks go as long as this kernel keeps its
/// working set, by what it calls available, and a margin: a quarter of its memory, at least 256 MiB.
/// </summary>
public sealed class SpareMemory(KernelFiles files, MemoryBlocks memory)
{
    public const string Parameter = "twinkernel.transfer_memory";

    /// <summary>A block that holds what cannot move costs time to find out; after so many the rest is likely to be alike.</summary>
    public const int MostRefusals = 3;

    private const ulong LeastMargin = 256ul << 20;

    /// <summary>Candidates in the order in which to try them: movable zones first, then from the top. None unless the guest wants it.</summary>
    /// <param name="without">Blocks that went before.</param>
    public IEnumerable<uint> Blocks(IReadOnlyCollection<uint> without) =>
        KernelCommandLine.Value(files.TryRead("/proc/cmdline") ?? "", Parameter) == "spare"
            ? memory.List()
                .Where(block => block is { Online: true, Movable: true, Number: > 0 } && !without.Contains(block.Number))
                .OrderBy(block => block.MovableZone ? 0 : 1).ThenByDescending(block => block.Number)
                .Select(block => block.Number)
            : [];

    /// <summary>Would this kernel keep its margin without so many bytes?</summary>
    public bool CanSpare(ulong bytes) =>
        MemoryInfo.Read(files, "MemAvailable") >= bytes + Math.Max(LeastMargin, MemoryInfo.Read(files, "MemTotal") / 4);
}
