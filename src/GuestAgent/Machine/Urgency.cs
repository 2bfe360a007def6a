using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>
/// The calling thread comes before all others of this kernel until it is disposed on the same thread: kernel B has one CPU, which its services would have
/// otherwise while the card is on its way. Where the kernel refuses that it goes on as it is.
/// </summary>
internal readonly ref struct Urgency
{
    private readonly bool _raised;

    public Urgency()
        : this(needed: true)
    {
    }

    /// <param name="needed">False: the thread stays as it is.</param>
    public Urgency(bool needed)
    {
        _raised = needed;
        if (needed)
        {
            Scheduling.ComeFirst(0);
        }
    }

    public void Dispose()
    {
        if (_raised)
        {
            Scheduling.ShareAgain(0);
        }
    }
}

/// <summary>The same for processes of a service, of one thread each, for whose work clients wait. Those that have ended meanwhile are left alone.</summary>
internal readonly ref struct ProcessUrgency
{
    private readonly IReadOnlyList<int> _processes;

    public ProcessUrgency(IReadOnlyList<int> processes)
    {
        _processes = processes;
        foreach (int process in processes)
        {
            Scheduling.ComeFirst(process);
        }
    }

    public void Dispose()
    {
        foreach (int process in _processes)
        {
            Scheduling.ShareAgain(process);
        }
    }
}

/// <summary>Of a thread, by its number; 0: the calling one.</summary>
file static class Scheduling
{
    private const int Other = 0; // SCHED_OTHER
    private const int Fifo = 1; // SCHED_FIFO
    private const int ResetOnFork = 0x40000000;
    private const int Lowest = 1;

    public static void ComeFirst(int thread) => Set(thread, Fifo | ResetOnFork, Lowest);

    public static void ShareAgain(int thread) => Set(thread, Other, 0);

    private static unsafe void Set(int thread, int policy, int priority) => _ = Libc.SetScheduler(thread, policy, &priority);
}
