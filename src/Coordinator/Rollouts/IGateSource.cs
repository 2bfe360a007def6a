using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>A question that this coordinator has taken. <paramref name="Where"/>: for people.</summary>
public abstract record GateClaim(GateSpec Gate, IReadOnlyList<GuestId> Guests, string Where);

/// <summary>Gates of one kind of place, each in a row of its own. Both methods run in a transaction of the caller's.</summary>
public interface IGateSource
{
    /// <summary>Added to a question's own time before another coordinator asks.</summary>
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>Takes the gate that is due, so that no other coordinator asks it meanwhile; null: none is.</summary>
    Task<GateClaim?> ClaimAsync(FleetDbContext db, CancellationToken cancellation);

    /// <summary>Writes the answer and what follows from it; null: nobody waits for it any more.</summary>
    Task<GateVerdict?> RecordAsync(FleetDbContext db, GateClaim claim, GateAnswer answer, CancellationToken cancellation);
}
