namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>A service of one kernel that goes over by its own replication, whose offsets the two kernels compare. Each call has a deadline of its own.</summary>
/// <remarks>Every member throws <see cref="IOException"/> when the service does not do it.</remarks>
internal interface IReplicatedService
{
    string Name { get; }

    // ---- kernel A -------------------------------------------------------------------------------------------------

    /// <summary>Lets kernel B's copy in, before it is started.</summary>
    /// <returns>What it has to show, of this upgrade; null: nothing.</returns>
    CopyInvitation? Invite() => null;

    /// <summary>
    /// The copy follows. Where the service can do that, each write waits for the copy from here on before it is acknowledged, so that <see cref="Hold"/> need not stop
    /// any. <see cref="LetGo"/> undoes it, whoever asks for it.
    /// </summary>
    /// <returns>Null: writes do not wait.</returns>
    ICoupling? Couple() => null;

    /// <summary>Connects ahead of the cut-over, and does without an effect what is done there: its first time is slow.</summary>
    /// <returns>Null: what <see cref="Couple"/> has connected is for that as well.</returns>
    IWriteHold? PrepareHold();

    /// <inheritdoc cref="IWriteHold.Hold"/>
    long Hold();

    /// <summary>Writes that wait go on and wait for no copy, in the kernel that has served all along, or for good. Idempotent.</summary>
    void LetGo();

    /// <summary>
    /// This kernel has taken the machine back, and nobody reaches it yet. Writes that waited since before the park are dropped with their connections:
    /// none was acknowledged, and their clients may have written anew to kernel B since. Those that come now go on.
    /// </summary>
    void ComeBack();

    // ---- kernel B -------------------------------------------------------------------------------------------------

    /// <summary>Before the copy is started: whom it is to follow. Called again when kernel A's agent has been started again.</summary>
    /// <param name="source">Kernel A's address.</param>
    /// <param name="invitation">What to show there.</param>
    void Join(string source, CopyInvitation? invitation)
    {
    }

    /// <summary>Copies from kernel A's, and goes on copying. Called until it does.</summary>
    /// <param name="source">Kernel A's address.</param>
    /// <returns>Why it does not follow yet; null: it does.</returns>
    string? Follow(string source);

    /// <summary>Connected ahead of the cut-over.</summary>
    IPromotion Prepare();
}

/// <summary>With what a copy in kernel B is let in by the service in kernel A, in one upgrade. Secret.</summary>
public sealed record CopyInvitation
{
    /// <summary>Under which it comes.</summary>
    public required string Name { get; init; }

    public required string Password { get; init; }
}

/// <summary>Holds the writes of a service in kernel A, over a connection that is there.</summary>
internal interface IWriteHold : IDisposable
{
    /// <summary>No write is acknowledged from here on that the copy does not have.</summary>
    /// <returns>An offset behind the last that was.</returns>
    /// <exception cref="IOException">The service does not do it, or the connection is gone. Not to be asked again over this one.</exception>
    long Hold();
}

/// <summary>Writes of a service in kernel A wait for the copy in kernel B. Connected to the service.</summary>
internal interface ICoupling : IWriteHold
{
    /// <summary>How far the service is, and its copy, in one measure.</summary>
    /// <exception cref="IOException">It does not say.</exception>
    (long Written, long Copied) Progress();
}

/// <summary>From copy to master: in front of the park, as long as readers have kernel A (docs/decisions/0026), or when that has ended in a panic.</summary>
internal interface IPromotion : IDisposable
{
    /// <summary>Of the service.</summary>
    string Name { get; }

    /// <summary>Waits until everything up to an offset of kernel A's is here; at most 2 s.</summary>
    /// <exception cref="IOException">It is not, or is a master already.</exception>
    void CatchUp(long offset);

    /// <summary>Done when it is a master. One that is already stays one.</summary>
    /// <param name="mayHold">There is a way back, on which writes would be lost: none is acknowledged before somebody lets them go.</param>
    /// <exception cref="IOException">The service has refused.</exception>
    void Promote(bool mayHold);
}
