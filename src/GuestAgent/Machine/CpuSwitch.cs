using System.Globalization;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>Takes CPUs of this kernel offline and online through sysfs.</summary>
public sealed class CpuSwitch(KernelFiles files)
{
    private const string Cpus = "/sys/devices/system/cpu";

    /// <summary>Present CPUs, ascending.</summary>
    public IReadOnlyList<uint> Present() => ParseList(files.Read($"{Cpus}/present"));

    /// <summary>Online CPUs, ascending.</summary>
    public IReadOnlyList<uint> Online() => [.. Present().Where(IsOnline)];

    /// <summary>A CPU without the attribute cannot be taken offline and is online.</summary>
    public bool IsOnline(uint cpu) => files.TryRead(Attribute(cpu)) is null or "1";

    public bool CanGoOffline(uint cpu) => files.Exists(Attribute(cpu));

    /// <summary>Its NUMA node.</summary>
    public uint Node(uint cpu) => NumaNode.Of(files, $"{Cpus}/cpu{cpu}");

    /// <summary>Does nothing when it is so already.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Set(uint cpu, bool online)
    {
        if (IsOnline(cpu) != online)
        {
            files.Write(Attribute(cpu), online ? "1" : "0");
        }
    }

    /// <summary>Reads the kernel's list form, such as <c>0-3,8</c>.</summary>
    public static IReadOnlyList<uint> ParseList(string list)
    {
        List<uint> cpus = [];
        foreach (string part in list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            uint first = uint.Parse(ends[0], CultureInfo.InvariantCulture);
            uint last = uint.Parse(ends[^1], CultureInfo.InvariantCulture);
            for (uint cpu = first; cpu <= last; cpu++)
            {
                cpus.Add(cpu);
            }
        }

        return cpus;
    }

    private static string Attribute(uint cpu) => $"{Cpus}/cpu{cpu}/online";
}
