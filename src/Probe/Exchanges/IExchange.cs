namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>
/// How requests reach a service and answers come back. All of it is called by the one thread of a run and none of it blocks. What comes
/// back goes to the run's <see cref="Measuring.Measurement"/>. A number below 0 asks likewise and is not counted: it makes
/// the connections, and warms up.
/// </summary>
internal interface IExchange : IDisposable
{
    /// <summary>Connections that were made again after the first.</summary>
    long Remade { get; }

    /// <summary>The service is asked.</summary>
    void Send(long number);

    /// <summary>What was asked since the last call leaves.</summary>
    void Flush(long now);

    /// <summary>Names the descriptors that are waited for.</summary>
    void Watch(PollSet descriptors);

    /// <summary>A descriptor is ready.</summary>
    /// <param name="token">As it was named to <see cref="Watch"/>.</param>
    void Ready(int token);

    /// <summary>The deadline of a request has passed.</summary>
    void Expired(long number);
}
