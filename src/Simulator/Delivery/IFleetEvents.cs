namespace TwinKernel.Fleet.Simulator.Delivery;

/// <summary>The way from a host to the coordinators.</summary>
internal interface IFleetEvents
{
    /// <param name="message">A message of the contract.</param>
    /// <param name="mustBeRouted">Fails when no queue takes it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task PublishAsync<T>(T message, bool mustBeRouted, CancellationToken cancellationToken)
        where T : class;
}
