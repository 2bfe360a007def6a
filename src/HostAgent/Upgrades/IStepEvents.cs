namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>The way to the coordinators.</summary>
internal interface IStepEvents
{
    /// <summary>Returns when the broker has the message.</summary>
    /// <param name="message">What to publish.</param>
    /// <param name="mustBeRouted">Fail when no queue takes it, which a broker otherwise confirms and forgets.</param>
    Task PublishAsync<T>(T message, bool mustBeRouted, CancellationToken cancellationToken)
        where T : class;
}
