namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>A service of one kernel that goes over by its own replication, whose offsets the two kernels compare. Each call has a deadline of its own.</summary>
/// <remarks>Every member throws <see cref="IOException"/> when the service does not do it.</remarks>
internal interface IReplicatedService
{
    string Name { get; }

    // ---- kernel A -------------------------------------------------------------------------------------------------

    /// <summary>What <see cref="Hold"/> does, without an effect: its first time is slow.</summary>
    void Rehearse()
    {
    }

    /// <summary>No write is acknowledged from here on.</summary>
    /// <returns>An offset behind the last that was.</returns>
    long Hold();

    /// <summary>Writes that wait go on, in the kernel that has served all along, or for good. Idempotent.</summary>
    void LetGo();

    /// <summary>
    /// This kernel has taken the machine back, and nobody reaches it yet. Writes that waited since before the park are dropped with their connections:
    /// none was acknowledged, and their clients may have written anew to kernel B since. Those that come now go on.
    /// </summary>
    void ComeBack();

    // ---- kernel B -------------------------------------------------------------------------------------------------

    /// <summary>Copies from kernel A's, and goes on copying. Called until it does.</summary>
    /// <param name="source">Kernel A's address.</param>
    /// <returns>Why it does not follow yet; null: it does.</returns>
    string? Follow(string source);

    /// <summary>Waits until everything up to an offset of kernel A's is here; at most 2 s.</summary>
    void CatchUp(long offset);

    /// <summary>Connected ahead of the gap.</summary>
    IPromotion Prepare();
}

/// <summary>From copy to master, inside the gap: asked first, and answered while the card is on its way.</summary>
internal interface IPromotion : IDisposable
{
    /// <summary>Of the service.</summary>
    string Name { get; }

    /// <param name="mayHold">There is a way back, on which writes would be lost.</param>
    void Ask(bool mayHold);

    /// <exception cref="IOException">The service has refused.</exception>
    void Confirm();
}
