using System.Diagnostics;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>A process that leads a group, a child of this agent or of one before it.</summary>
/// <param name="Pid">Its id, and its group's.</param>
/// <param name="Started">When, in the kernel's ticks: it and <paramref name="Pid"/> together never come again.</param>
internal sealed unsafe record ProcessHandle(int Pid, string Started)
{
    private const int Kill = 9;
    private const int NoHang = 1;
    private const int Unknown = -1;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

    /// <summary>Null: there is none.</summary>
    public static ProcessHandle? Open(int pid)
    {
        try
        {
            // Behind the name, which may hold anything: field 3, the state, comes first and 22, the start time, twentieth.
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ') is [not "Z", ..] fields ? new ProcessHandle(pid, fields[19]) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Null: it has not ended within <paramref name="deadline"/>. -1: it has, and is not this agent's child, so that nobody knows how.</summary>
    public int? WaitForExit(TimeSpan deadline)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            int status;
            int seen = Libc.WaitPid(Pid, &status, NoHang);
            if (seen == Pid)
            {
                return (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
            }

            if (seen < 0 && Open(Pid)?.Started != Started)
            {
                return Unknown;
            }

            if (Stopwatch.GetElapsedTime(started) >= deadline)
            {
                return null;
            }

            Thread.Sleep(Look);
        }
    }

    public void Signal(int signal) => _ = Libc.Kill(Pid, signal);

    /// <summary>Ends it, and all that it has started and that has not left its group.</summary>
    public void KillGroup() => _ = Libc.Kill(-Pid, Kill);
}
