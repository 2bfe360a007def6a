using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>A wave of a rollout; its guests are <see cref="RolloutMember"/>s, its rules are in the rollout's definition.</summary>
public sealed class RolloutWave
{
    public Guid RolloutId { get; set; }

    /// <summary>From 1.</summary>
    public int Number { get; set; }
    public required string Name { get; set; }
    public int Guests { get; set; }
    public DateTimeOffset? StartedAt { get; set; }

    /// <summary>When its last guest had ended.</summary>
    public DateTimeOffset? EndedAt { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<RolloutWave>
    {
        public void Configure(EntityTypeBuilder<RolloutWave> table)
        {
            table.ToTable("rollout_waves");
            table.HasKey(wave => new { wave.RolloutId, wave.Number });
            table.HasOne<RolloutRecord>().WithMany().HasForeignKey(wave => wave.RolloutId).OnDelete(DeleteBehavior.Cascade);
        }
    }
}

/// <summary>Another person's approval of a plan, by the plan's hash.</summary>
public sealed class RolloutApproval
{
    public long Id { get; set; }
    public Guid RolloutId { get; set; }
    public required string PlanHash { get; set; }
    public required string ApprovedBy { get; set; }
    public DateTimeOffset ApprovedAt { get; set; }
    public DateTimeOffset ExpiresAt { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<RolloutApproval>
    {
        public void Configure(EntityTypeBuilder<RolloutApproval> table)
        {
            table.ToTable("rollout_approvals");
            table.HasKey(approval => approval.Id);
            table.HasOne<RolloutRecord>().WithMany().HasForeignKey(approval => approval.RolloutId).OnDelete(DeleteBehavior.Cascade);
        }
    }
}

/// <summary>
/// A place among those who are upgraded at once. It is given for a time and renewed while the guest's host lives: one whose host has
/// gone for good stops counting against the limits by itself.
/// </summary>
public sealed class AdmissionLease
{
    public required string HostName { get; set; }
    public required string GuestName { get; set; }
    public Guid RolloutId { get; set; }
    public Guid UpgradeId { get; set; }
    public DateTimeOffset TakenAt { get; set; }
    public DateTimeOffset ExpiresAt { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<AdmissionLease>
    {
        public void Configure(EntityTypeBuilder<AdmissionLease> table)
        {
            table.ToTable("admission_leases");
            table.HasKey(lease => new { lease.HostName, lease.GuestName });
            table.HasIndex(lease => lease.RolloutId);
        }
    }
}
