using System.Text.Json;
using MassTransit.Serialization;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Simulator.Delivery;

/// <summary>What came to a host's queue, in MassTransit's envelope; one of the four is there.</summary>
internal sealed record HostMessage(ExecuteStep? Command, InspectGuest? Question, RunGateCommand? Gate, PaceHeartbeats? Pace, Guid? RequestId, Uri? ResponseAddress)
{
    /// <exception cref="JsonException">It is none of them, or not whole.</exception>
    public static HostMessage Read(ReadOnlyMemory<byte> body)
    {
        Envelope envelope = JsonSerializer.Deserialize<Envelope>(body.Span, SystemTextJsonMessageSerializer.Options) ?? throw new JsonException("The message is empty.");
        return new HostMessage(Is<ExecuteStep>(envelope), Is<InspectGuest>(envelope), Is<RunGateCommand>(envelope), Is<PaceHeartbeats>(envelope), envelope.RequestId, envelope.ResponseAddress) switch
        {
            { Command: null, Question: null, Gate: null, Pace: null } => throw new JsonException($"No agent knows a message of type {string.Join(", ", envelope.MessageType)}."),
            { Command: null, Pace: null, ResponseAddress: null } => throw new JsonException("A question without an address for the answer."),
            var read => read,
        };
    }

    private static T? Is<T>(Envelope envelope)
        where T : class =>
        envelope.MessageType.Contains($"urn:message:{typeof(T).Namespace}:{typeof(T).Name}")
            ? envelope.Message.Deserialize<T>(SystemTextJsonMessageSerializer.Options) : null;

    private sealed record Envelope
    {
        public required string[] MessageType { get; init; }
        public required JsonElement Message { get; init; }
        public Guid? RequestId { get; init; }
        public Uri? ResponseAddress { get; init; }
    }
}
