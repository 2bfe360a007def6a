namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>
/// Coordinator to host agent, over the host's own queue (<see cref="QueueNames.Host"/>): what is in a guest? A question, answered
/// with <see cref="GuestInspected"/> to whoever asked; it lives no longer than the asker waits, and changes nothing.
/// </summary>
public sealed record InspectGuest
{
    public required string Host { get; init; }
    public required string Guest { get; init; }
}

/// <summary>Host agent to the coordinator that asked. One of <see cref="Inspection"/> and <see cref="Problem"/> is there.</summary>
public sealed record GuestInspected
{
    public required string Host { get; init; }
    public required string Guest { get; init; }

    /// <summary>When, on the host's wall clock.</summary>
    public required DateTimeOffset ObservedAt { get; init; }

    /// <summary>The guest's answer, a serialized <c>twinkernel.guest.v1.Inspection</c>.</summary>
    public byte[]? Inspection { get; init; }

    /// <summary>Why there is none, and what to do.</summary>
    public string? Problem { get; init; }
}
