using Microsoft.EntityFrameworkCore;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Requests;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Guests;

/// <summary>Keeps a guest out of rollouts until it is released; a guest whose upgrades failed for good gets there by itself.</summary>
public sealed class QuarantineGuest(FleetTransaction transactions, TimeProvider time)
{
    public Task<Wire.Guest> HandleAsync(Wire.QuarantineGuestRequest request, CancellationToken cancellation)
    {
        List<(string, string)> violations = [];
        ActorName.Check(request.Actor, violations);
        if (!request.Release && request.Reason.Length is 0 or > 500)
        {
            violations.Add(("reason", "must say why, in 1 to 500 characters."));
        }

        if (request.Host.Length == 0 || request.Guest.Length == 0)
        {
            violations.Add(("guest", "must be HOST/GUEST, as `twinfleet guests list` shows them."));
        }

        return violations.Count > 0 ? throw Refusal.Invalid(violations) : transactions.RunAsync((db, stop) => WriteAsync(db, request, stop), cancellation);
    }

    private async Task<Wire.Guest> WriteAsync(FleetDbContext db, Wire.QuarantineGuestRequest request, CancellationToken cancellation)
    {
        GuestRecord guest = await db.Guests
            .FromSql($"select * from guests where host_name = {request.Host} and name = {request.Guest} for update").SingleOrDefaultAsync(cancellation)
            ?? throw Refusal.NotFound($"Guest '{request.Host}/{request.Guest}' is not known; see `twinfleet guests list`.");
        string? quarantine = request.Release ? null : $"{request.Reason} (by {request.Actor})";
        if (guest.Quarantine != quarantine)
        {
            guest.Quarantine = quarantine;
            db.Note(time.GetUtcNow(), request.Actor, request.Release ? "release-guest" : "quarantine", $"{request.Host}/{request.Guest}", request.Reason);
        }

        HostRecord host = await db.Hosts.AsNoTracking().SingleAsync(row => row.Name == guest.HostName, cancellation);
        return ListGuests.ToResponse(host, guest, null);
    }
}
