namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>Names of the queues on the broker.</summary>
public static class QueueNames
{
    /// <summary>Results and progress of steps, for any coordinator.</summary>
    public const string CoordinatorSteps = "twinfleet.coordinator.steps";

    /// <summary>Heartbeats, for any coordinator.</summary>
    public const string CoordinatorHosts = "twinfleet.coordinator.hosts";

    /// <summary>What no consumer of coordinators or agents could handle, for a person.</summary>
    public const string DeadLetters = "twinfleet.dead-letters";

    /// <summary>The queue of one host agent; <see cref="ExecuteStep"/>, <see cref="InspectGuest"/> and <see cref="RunGateCommand"/> are sent to it.</summary>
    public static string Host(string host) => $"twinfleet.host.{host}";
}
