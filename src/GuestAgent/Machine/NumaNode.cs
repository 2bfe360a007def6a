using System.Globalization;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>The NUMA node of a CPU or a memory block: sysfs has a link <c>nodeN</c> in its directory.</summary>
internal static class NumaNode
{
    /// <summary>0 where nothing is said, as on a machine without nodes.</summary>
    public static uint Of(KernelFiles files, string directory) => files.List(directory)
        .Where(name => name.StartsWith("node", StringComparison.Ordinal))
        .Select(name => uint.TryParse(name.AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out uint node) ? node : 0)
        .FirstOrDefault();
}
