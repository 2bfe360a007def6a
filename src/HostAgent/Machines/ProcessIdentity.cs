using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>
/// One process, and never another one that got its number later: the number, when it started in clock ticks
/// since the host's boot (<c>/proc/PID/stat</c>, field 22), and the host's boot.
/// </summary>
internal sealed record ProcessIdentity(int Pid, ulong StartTicks, string HostBootId)
{
    /// <summary><c>/proc/sys/kernel/random/boot_id</c> of this host.</summary>
    public static string CurrentHostBootId { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>The process with this number now; null when there is none or it has ended and waits for its parent.</summary>
    public static ProcessIdentity? Of(int pid)
    {
        string stat;
        try
        {
            stat = File.ReadAllText($"/proc/{pid}/stat");
        }
        catch (IOException)
        {
            return null;
        }

        // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[0] is "Z" or "X" ? null : new ProcessIdentity(pid, ulong.Parse(fields[19], CultureInfo.InvariantCulture), CurrentHostBootId);
    }

    /// <summary>The process whose command line has <paramref name="uuid"/> after <c>-uuid</c>; null when there is none.</summary>
    public static ProcessIdentity? WithUuid(Guid uuid)
    {
        byte[] wanted = Encoding.ASCII.GetBytes($"\0-uuid\0{uuid}\0");
        foreach (string entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), CultureInfo.InvariantCulture, out int pid))
            {
                try
                {
                    if (File.ReadAllBytes($"{entry}/cmdline").AsSpan().IndexOf(wanted) >= 0 && Of(pid) is { } found)
                    {
                        return found;
                    }
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // It ended while it was looked at, or is not ours to look at.
                }
            }
        }

        return null;
    }

    public bool IsAlive() => HostBootId == CurrentHostBootId && Of(Pid) == this;

    /// <summary>Sends a signal when the process is still the one meant.</summary>
    public void Signal(int signal)
    {
        if (IsAlive())
        {
            _ = Kill(Pid, signal);
        }
    }

    public const int Terminate = 15;

    public const int KillAtOnce = 9;

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int pid, int signal);
}
