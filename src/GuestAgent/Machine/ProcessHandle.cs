using System.Diagnostics;
using System.Globalization;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>A process that leads a group, a child of this agent or of one before it.</summary>
/// <param name="Pid">Its id, and its group's.</param>
/// <param name="Started">When, in the kernel's ticks: it and <paramref name="Pid"/> together never come again.</param>
internal sealed unsafe record ProcessHandle(int Pid, string Started)
{
    private const int Kill = 9;
    private const int Stop = 19;
    private const int NoHang = 1;
    private const int Unknown = -1;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

    /// <summary>Null: there is none.</summary>
    public static ProcessHandle? Open(int pid) => Fields($"/proc/{pid}/stat") is [not "Z", ..] fields ? new ProcessHandle(pid, fields[19]) : null;

    /// <summary>Null: it has not ended within <paramref name="deadline"/>. -1: it has, and is not this agent's child, so that nobody knows how.</summary>
    public int? WaitForExit(TimeSpan deadline)
    {
        long started = Stopwatch.GetTimestamp();
        int descriptor = Libc.OpenProcess(Libc.PidfdOpen, Pid, 0);
        try
        {
            return WaitForExit(descriptor, started, deadline);
        }
        finally
        {
            if (descriptor >= 0)
            {
                Libc.Close(descriptor);
            }
        }
    }

    /// <param name="descriptor">Of the process; negative: it has ended.</param>
    private int? WaitForExit(int descriptor, long started, TimeSpan deadline)
    {
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

            TimeSpan left = deadline - Stopwatch.GetElapsedTime(started);
            if (left <= TimeSpan.Zero)
            {
                return null;
            }

            (int, short, short) polled = (descriptor, Libc.PollIn, 0);
            Libc.Poll(&polled, descriptor >= 0 ? 1u : 0u, (int)Math.Ceiling((descriptor >= 0 ? left : Look).TotalMilliseconds));
        }
    }

    public void Signal(int signal) => _ = Libc.Kill(Pid, signal);

    /// <summary>Ends it, and all that it has started and that has not left its group.</summary>
    public void KillGroup() => SignalGroup(Kill);

    /// <summary>To it, and to all that it has started and that has not left its group.</summary>
    public void SignalGroup(int signal) => _ = Libc.Kill(-Pid, signal);

    /// <summary>Stops the group, and waits until none of its threads runs.</summary>
    /// <exception cref="IOException">One still does after <paramref name="deadline"/>.</exception>
    public void StopGroup(TimeSpan deadline)
    {
        long started = Stopwatch.GetTimestamp();
        SignalGroup(Stop);
        // Behind the signal no thread and no process is added to the group: who would do so stops first.
        string[] group = [.. Directory.EnumerateDirectories("/proc").Where(process => int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out int pid) && Libc.GroupOf(pid) == Pid)];
        while (group.SelectMany(Threads).Any(thread => Fields($"{thread}/stat") is [not ("T" or "Z" or "X"), ..]))
        {
            if (Stopwatch.GetElapsedTime(started) > deadline)
            {
                throw new IOException($"process {Pid} does not stand still within {deadline.TotalSeconds:0.0} s.");
            }

            Thread.Sleep(Look);
        }
    }

    private static string[] Threads(string process)
    {
        try
        {
            return Directory.GetDirectories($"{process}/task");
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>Behind the name, which may hold anything: field 3, the state, comes first and 22, the start time, twentieth. Null: there is none.</summary>
    private static string[]? Fields(string path)
    {
        try
        {
            string stat = File.ReadAllText(path);
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }
}
