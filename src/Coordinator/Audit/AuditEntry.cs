using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Audit;

/// <summary>
/// Who did what to the fleet, written in the transaction of the act itself: there is no act without its entry, and no entry
/// without the act. Never changed.
/// </summary>
public sealed class AuditEntry
{
    public long Id { get; set; }
    public DateTimeOffset At { get; set; }

    /// <summary>As the caller names himself, or <see cref="Service"/> for what follows from a rollout's own rules.</summary>
    public required string Actor { get; set; }

    /// <summary>What was done, one word or two joined by a hyphen: <c>start</c>, <c>deny-image</c>.</summary>
    public required string Act { get; set; }

    /// <summary>The rollout that it was done to; null: something else.</summary>
    public Guid? RolloutId { get; set; }

    /// <summary>What it was done to, for people.</summary>
    public required string Subject { get; set; }
    public required string Detail { get; set; }

    public const string Service = "coordinator";

    internal sealed class Map : IEntityTypeConfiguration<AuditEntry>
    {
        public void Configure(EntityTypeBuilder<AuditEntry> table)
        {
            table.ToTable("audit");
            table.HasKey(entry => entry.Id);
            table.HasIndex(entry => new { entry.RolloutId, entry.Id });
        }
    }
}

internal static class AuditLog
{
    public static void Note(
        this FleetDbContext db, DateTimeOffset at, string actor, string act, string subject, string detail = "", Guid? rollout = null) =>
        db.Audit.Add(new AuditEntry { At = at, Actor = actor, Act = act, Subject = subject, Detail = detail, RolloutId = rollout });
}
