namespace TwinKernel.Fleet.Probe.Writes;

/// <summary>A connection to the service that was written to, for what comes before and after a run. Not for measuring.</summary>
/// <remarks>
/// Members throw <see cref="IOException"/> or <see cref="System.Net.Sockets.SocketException"/> when the service is not there, <see cref="InvalidDataException"/> when it
/// answers with an error or with something else.
/// </remarks>
internal interface IWriteStore : IDisposable
{
    /// <summary>Makes the place that writes go to.</summary>
    void Prepare()
    {
    }

    /// <returns>What each of these writes has left; null: nothing.</returns>
    IReadOnlyList<string?> Read(IReadOnlyList<long> numbers);

    /// <summary>Removes the run's writes numbered below <paramref name="next"/>.</summary>
    void Remove(long next);
}
