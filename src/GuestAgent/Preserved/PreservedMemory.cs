using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Preserved;

/// <summary>
/// Pieces of memory that outlive every kernel of the machine. A kernel that owns its machine makes those that are missing, out of memory blocks that it
/// takes for good; one that stands by only finds what is there.
/// </summary>
public sealed partial class PreservedMemory(ITwinKernelDevice device, KernelFiles files, MemoryBlocks memory, ILogger<PreservedMemory> logger)
{
    /// <summary>Blocks on their way, and how each comes back: for an agent that is started again in the middle.</summary>
    private const string NotePath = "/run/twinkernel/preserving";

    /// <summary>What this kernel keeps to go on with.</summary>
    private const ulong Reserve = 96ul << 20;

    /// <summary>Is there a piece of this name and size?</summary>
    /// <exception cref="DeviceException">The module does not answer.</exception>
    public bool Has(string name, ulong bytes) => device.Preserved().Any(piece => piece.Name == name && piece.Bytes == bytes);

    /// <summary>Makes a piece, unless it is there. Idempotent.</summary>
    /// <param name="name">At most 31 characters of a-z, A-Z, 0-9, '-', '_' and '.'.</param>
    /// <param name="bytes">A multiple of the page size.</param>
    /// <exception cref="DeviceException">EEXIST: it is there and has another size. EAGAIN, EBUSY: it is not, and another kernel runs on this machine.</exception>
    /// <exception cref="IOException">No memory block can be taken for it.</exception>
    public void Ensure(string name, ulong bytes)
    {
        try
        {
            device.Preserve(name, bytes);
        }
        catch (DeviceException refusal) when (refusal.Errno == Errno.ENOSPC)
        {
            Take(bytes);
            device.Preserve(name, bytes);
        }
    }

    private void Take(ulong bytes)
    {
        Return();
        ulong blockBytes = memory.BlockBytes(), available = MemoryInfo.Read(files, "MemAvailable");
        int count = MemoryRuns.BlocksFor(bytes, blockBytes);
        if (available < ((ulong)count * blockBytes) + Reserve)
        {
            throw new IOException($"{available >> 20} MiB of memory are available; to preserve {bytes} bytes takes {count} blocks of {blockBytes >> 20} MiB, and {Reserve >> 20} MiB are to be left");
        }

        HashSet<uint> refused = [];
        string reason = "none can be taken offline";
        while (MemoryRuns.FromTheTop(memory.List(), count, refused).Cast<uint?>().FirstOrDefault() is { } first)
        {
            try
            {
                TakeOffline(first, count, refused);
                device.PreserveMemory(first * blockBytes, (ulong)count * blockBytes);
                File.Delete(files.At(NotePath));
                Log.Preserves(logger, count, first);
                return;
            }
            catch (IOException error)
            {
                Return();
                if (error is DeviceException { Errno: not (Errno.EINVAL or Errno.ENXIO) })
                {
                    throw;
                }

                // Not offline, or not all of it memory of the machine.
                reason = error.Message;
                refused.Add(first);
            }
        }

        throw new IOException($"no {count} memory blocks one behind the other can be preserved: {reason}");
    }

    private void TakeOffline(uint first, int count, HashSet<uint> refused)
    {
        uint[] blocks = [.. Enumerable.Range(0, count).Select(offset => first + (uint)offset)];
        Directory.CreateDirectory(files.At("/run/twinkernel"));
        File.WriteAllLines(files.At(NotePath), blocks.Select(block => $"{block} {(memory.IsMovableZone(block) ? "online_movable" : "online")}"));
        foreach (uint block in blocks)
        {
            refused.Add(block);
            memory.Set(block, "offline");
            refused.Remove(block);
        }
    }

    /// <summary>Those of the note; the module refuses those that it has.</summary>
    private void Return()
    {
        foreach (string[] block in (files.TryRead(NotePath) ?? "").Split('\n').Select(line => line.Split(' ')).Where(block => block.Length == 2))
        {
            try
            {
                memory.Set(uint.Parse(block[0], System.Globalization.CultureInfo.InvariantCulture), block[1]);
            }
            catch (IOException error)
            {
                Log.NotBack(logger, error.Message);
            }
        }

        File.Delete(files.At(NotePath));
    }

    private static partial class Log
    {
        [LoggerMessage(600, LogLevel.Information, "preserved memory: {Count} blocks from block {First} on belong to no kernel any more")]
        public static partial void Preserves(ILogger logger, int count, uint first);

        [LoggerMessage(601, LogLevel.Warning, "preserved memory: a block does not come back: {Message}")]
        public static partial void NotBack(ILogger logger, string message);
    }
}
