using Google.Protobuf;
using Grpc.Core;
using MassTransit;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.GuestLink;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Delivery;

/// <summary>Asks a guest what is in it and answers whoever asked. A guest that does not answer is an answer.</summary>
internal sealed class InspectGuestConsumer(IOptions<AgentOptions> options, Func<string, IGuestMachine?> machines, TimeProvider time) : IConsumer<InspectGuest>
{
    /// <summary>Shorter than the coordinator waits: the reason is to arrive.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task Consume(ConsumeContext<InspectGuest> context)
    {
        (byte[]? inspection, string? problem) = await AskAsync(context.Message.Guest, context.CancellationToken).ConfigureAwait(false);
        await context.RespondAsync(new GuestInspected
        {
            Host = options.Value.Name,
            Guest = context.Message.Guest,
            ObservedAt = time.GetUtcNow(),
            Inspection = inspection,
            Problem = problem,
        }).ConfigureAwait(false);
    }

    private async Task<(byte[]? Inspection, string? Problem)> AskAsync(string guest, CancellationToken cancellationToken)
    {
        if (machines(guest) is not { } machine)
        {
            return (null, $"Host '{options.Value.Name}' has no guest '{guest}' (Host:Guests).");
        }

        if (machine.Endpoint is not { } endpoint)
        {
            return (null, $"The machine of guest {guest} does not run now; its host starts it again by itself, and its agent's log says why it ended.");
        }

        try
        {
            return ((await GuestConnection.InspectAsync(endpoint, Patience, cancellationToken).ConfigureAwait(false)).ToByteArray(), null);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented)
        {
            return (null, $"The agent in guest {guest} is older than its host's and cannot be asked; upgrade the guest to an image of today.");
        }
        catch (RpcException e)
        {
            string consoles = string.Join(" and ", machine.ConsoleLogs);
            return (null, $"The agent in guest {guest} does not answer ({e.Status.Detail}); its consoles are in {consoles} on host {options.Value.Name}.");
        }
    }
}
