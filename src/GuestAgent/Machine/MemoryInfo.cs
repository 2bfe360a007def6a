using System.Globalization;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary><c>/proc/meminfo</c>.</summary>
internal static class MemoryInfo
{
    /// <summary>A line's value in bytes.</summary>
    /// <exception cref="FormatException">There is no such line.</exception>
    public static ulong Read(KernelFiles files, string name)
    {
        foreach (ReadOnlySpan<char> line in files.Read("/proc/meminfo").AsSpan().EnumerateLines())
        {
            if (line.StartsWith(name) && line.Length > name.Length && line[name.Length] == ':')
            {
                ReadOnlySpan<char> value = line[(name.Length + 1)..].Trim();
                return ulong.Parse(value.EndsWith(" kB") ? value[..^3] : value, NumberStyles.None, CultureInfo.InvariantCulture) * 1024;
            }
        }

        throw new FormatException($"/proc/meminfo has no line {name}.");
    }
}
