using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Machine;

/// <summary>
/// The calling thread comes before all others of this kernel until it is disposed on the same thread: kernel B has one CPU, which its services would have
/// otherwise while the card is on its way. Where the kernel refuses that it goes on as it is.
/// </summary>
internal readonly ref struct Urgency
{
    private const int Other = 0; // SCHED_OTHER
    private const int Fifo = 1; // SCHED_FIFO
    private const int ResetOnFork = 0x40000000;
    private const int Lowest = 1;
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
            Set(Fifo | ResetOnFork, Lowest);
        }
    }

    public void Dispose()
    {
        if (_raised)
        {
            Set(Other, 0);
        }
    }

    private static unsafe void Set(int policy, int priority) => _ = Libc.SetScheduler(0, policy, &priority);
}
