using System.Globalization;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>A memory block as sysfs shows it.</summary>
/// <param name="Number">N in <c>memoryN</c>: its address divided by the block size.</param>
/// <param name="Online">It is in this kernel's use.</param>
/// <param name="Movable">The kernel says that it may try to take the block offline.</param>
/// <param name="MovableZone">It holds movable pages only: taking it offline works as a rule.</param>
/// <param name="Node">Its NUMA node.</param>
public readonly record struct MemoryBlock(uint Number, bool Online, bool Movable, bool MovableZone = false, uint Node = 0);

/// <summary>Memory hotplug through sysfs, block by block.</summary>
public sealed class MemoryBlocks(KernelFiles files)
{
    private const string Memory = "/sys/devices/system/memory";
    private const int Retries = 3;

    /// <summary>Bytes in a block.</summary>
    public ulong BlockBytes() => files.ReadHex($"{Memory}/block_size_bytes");

    /// <summary>All blocks, ascending.</summary>
    public IReadOnlyList<MemoryBlock> List() =>
    [
        .. files.List(Memory)
            .Where(name => name.StartsWith("memory", StringComparison.Ordinal))
            .Select(name => uint.TryParse(name.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out uint number) ? number : (uint?)null)
            .OfType<uint>()
            .Order()
            .Select(Look),
    ];

    /// <summary>An online block that holds movable pages only; it has to come back as it was.</summary>
    public bool IsMovableZone(uint number) => files.TryRead($"{Memory}/memory{number}/valid_zones") == "Movable";

    /// <summary>Does nothing when it is so already. <paramref name="how"/>: <c>offline</c>, <c>online</c>, <c>online_movable</c>, <c>online_kernel</c>.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Set(uint number, string how)
    {
        string path = $"{Memory}/memory{number}/state";
        string wanted = how.StartsWith("online", StringComparison.Ordinal) ? "online" : how;
        for (int attempt = 1; files.Read(path) != wanted; attempt++)
        {
            try
            {
                files.Write(path, how);
            }
            catch (IOException) when (attempt < Retries && files.TryRead(path) != wanted)
            {
                // A page that was in use for a moment only, or a signal: the kernel gives up with EBUSY, EAGAIN or EINTR.
            }
        }
    }

    /// <summary>Until it is disposed of, this kernel does not put added blocks online by itself.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public IDisposable KeepOffline() => new Policy(files, $"{Memory}/auto_online_blocks");

    private MemoryBlock Look(uint number)
    {
        string block = $"{Memory}/memory{number}";
        string zones = files.TryRead($"{block}/valid_zones") ?? "none";
        return new MemoryBlock(number, files.TryRead($"{block}/state") == "online", files.TryRead($"{block}/removable") != "0" && zones != "none", zones == "Movable", NumaNode.Of(files, block));
    }

    private sealed class Policy : IDisposable
    {
        private readonly KernelFiles _files;
        private readonly string _path;
        private readonly string? _before;

        public Policy(KernelFiles files, string path)
        {
            (_files, _path, _before) = (files, path, files.TryRead(path));
            Set("offline");
        }

        public void Dispose() => Set(_before);

        private void Set(string? policy)
        {
            if (_before is not (null or "offline"))
            {
                _files.Write(_path, policy!);
            }
        }
    }
}
