using System.Runtime.InteropServices;

namespace TwinKernel.Fleet.Probe;

/// <summary>
/// Lets a thread that measures run when it wants to. What it measures takes every core it can get, and a late request reads as a slow
/// service: on two cores with eighteen runnable threads, one request in a hundred left 24 ms late at nice -10, and 40 µs late so.
/// </summary>
public static class Punctuality
{
    private const int FirstInFirstOut = 1;

    /// <summary>Threads that it starts, and the pool's are among them, do not inherit this.</summary>
    private const int ResetOnFork = 0x4000_0000;
    private const int LowestRealTime = 1;
    private const int SetTimerSlack = 29;

    /// <summary>
    /// The calling thread, for as long as it lives: the lowest real-time priority; where that is not allowed, a nice value below that of others. Wakes
    /// without slack. It has to sleep most of the time, and may find that none of it was allowed.
    /// </summary>
    public static void OfThisThread()
    {
        int priority = LowestRealTime;
        if (SetScheduler(0, FirstInFirstOut | ResetOnFork, in priority) != 0)
        {
            _ = SetPriority(0, 0, -10);
        }

        _ = SetThreadOption(SetTimerSlack, 1, 0, 0, 0);
    }

    [DllImport("libc", EntryPoint = "sched_setscheduler")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetScheduler(int thread, int policy, in int priority);

    [DllImport("libc", EntryPoint = "setpriority")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetPriority(int which, int who, int priority);

    [DllImport("libc", EntryPoint = "prctl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetThreadOption(int option, nuint a, nuint b, nuint c, nuint d);
}
