using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Requests;
using Question = TwinKernel.Fleet.Contracts.Messages.InspectGuest;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Guests;

/// <summary>What is in a guest now: asked of its host's agent over the host's queue, kept nowhere.</summary>
public sealed class InspectGuest(FleetTransaction database, HostQuestion hosts, IOptions<DeliveryOptions> options, TimeProvider time)
{
    public async Task<Wire.InspectGuestResponse> HandleAsync(Wire.InspectGuestRequest request, CancellationToken cancellation)
    {
        string host = await database.ReadAsync((db, stop) => HostOfAsync(db, request, stop), cancellation);
        GuestInspected answer = await hosts.AskAsync<Question, GuestInspected>(
            host, new Question { Host = host, Guest = request.Guest }, options.Value.AnswerWithin, cancellation);
        if (answer.Inspection is not { } inspection)
        {
            throw Refusal.NotReady([("guest", answer.Problem ?? $"Host {host} gave no answer for guest {request.Guest}.")]);
        }

        return new Wire.InspectGuestResponse
        {
            Host = answer.Host,
            Guest = answer.Guest,
            Observed = Timestamp.FromDateTimeOffset(answer.ObservedAt),
            Inspection = Inspection.Parser.ParseFrom(inspection),
        };
    }

    private async Task<string> HostOfAsync(FleetDbContext db, Wire.InspectGuestRequest request, CancellationToken cancellation)
    {
        if (request.Guest.Length == 0)
        {
            throw Refusal.Invalid([("guest", "is missing; name one, as `twinfleet guests list` shows them.")]);
        }

        if (request.Host.Length > 0 && !await db.Hosts.AnyAsync(host => host.Name == request.Host, cancellation))
        {
            throw Refusal.UnknownHost(request.Host);
        }

        HostRecord[] hosts = await db.Guests.AsNoTracking()
            .Where(guest => guest.Name == request.Guest && guest.GoneAt == null && (request.Host == "" || guest.HostName == request.Host))
            .Join(db.Hosts, guest => guest.HostName, host => host.Name, (guest, host) => host)
            .OrderBy(host => host.Name).ToArrayAsync(cancellation);
        return hosts switch
        {
            [] => throw Refusal.NotFound(request.Host.Length > 0
                ? $"Host {request.Host} has no guest '{request.Guest}'; see `twinfleet guests list --host {request.Host}`."
                : $"Guest '{request.Guest}' is not known; see `twinfleet guests list`."),
            [var one] => one.IsOnline(time.GetUtcNow()) ? one.Name : throw Refusal.NotReady([("host",
                $"Host {one.Name} is offline, last seen {one.LastSeen:u}; see that its agent runs and reaches the broker.")]),
            _ => throw Refusal.Invalid([("host",
                $"is missing: hosts {string.Join(", ", hosts.Select(host => host.Name))} each have a guest '{request.Guest}'.")]),
        };
    }
}
