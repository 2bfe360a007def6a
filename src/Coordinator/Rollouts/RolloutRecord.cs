using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Images;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>How a rollout goes about its guests.</summary>
public enum RolloutKind
{
    /// <summary>Every guest of one host, at once: <c>twinfleet upgrade start</c>. Its upgrades are all there is to it; nothing drives it.</summary>
    Canary = 1,

    /// <summary>A plan of waves that <see cref="RolloutMachine"/> goes through.</summary>
    Waves = 2,
}

/// <summary>One image brought to a selection of guests.</summary>
public sealed class RolloutRecord
{
    public Guid Id { get; set; }
    public RolloutKind Kind { get; set; }

    /// <summary>Chosen by the caller; a second call with it starts nothing.</summary>
    public Guid RequestId { get; set; }

    /// <summary>Of a <see cref="RolloutKind.Canary"/>; null otherwise.</summary>
    public string? HostName { get; set; }
    public required string ImageDigest { get; set; }

    /// <summary>The image as the caller wrote it, to tell a repeated request from another one.</summary>
    public required string RequestedImage { get; set; }

    /// <summary>As the caller asked for it.</summary>
    public UpgradeStrategy Strategy { get; set; }
    public bool RequireSignature { get; set; }
    public PanicPolicy OnPanic { get; set; }
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>Unique among rollouts; null: it has none, and nor have those below, which are of <see cref="RolloutKind.Waves"/>.</summary>
    public string? Name { get; set; }

    /// <summary>What was asked for, JSON as the caller wrote it.</summary>
    public string? Definition { get; set; }

    /// <summary>Of the plan by which the members were chosen.</summary>
    public string? PlanHash { get; set; }
    public string? CreatedBy { get; set; }
    public RolloutState? State { get; set; }
    public int Wave { get; set; }
    public int Waves { get; set; }
    public RolloutState? PausedIn { get; set; }
    public RolloutState? EndsAs { get; set; }

    /// <summary>Why the state is what it is, one sentence without a full stop; null: it needs no reason.</summary>
    public string? Reason { get; set; }

    /// <summary>When the state's own time is over; null: it has none.</summary>
    public DateTimeOffset? DeadlineAt { get; set; }

    /// <summary>When somebody must look after the rollout at the latest; null: nothing drives it, or it has ended.</summary>
    public DateTimeOffset? LookAt { get; set; }
    public DateTimeOffset? StartedAt { get; set; }
    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>PostgreSQL's xmin.</summary>
    public uint Version { get; set; }

    /// <exception cref="InvalidOperationException">Nothing drives it.</exception>
    public RolloutSituation Situation => new(
        State ?? throw new InvalidOperationException($"Rollout {Id} has no state: it is a {Kind}."), Wave, Waves, PausedIn, EndsAs);

    internal sealed class Map : IEntityTypeConfiguration<RolloutRecord>
    {
        public void Configure(EntityTypeBuilder<RolloutRecord> table)
        {
            table.ToTable("rollouts");
            table.HasKey(rollout => rollout.Id);
            table.Property(rollout => rollout.Id).ValueGeneratedNever();
            table.Property(rollout => rollout.Definition).HasColumnType("jsonb");
            table.Property(rollout => rollout.Version).IsRowVersion();
            table.Ignore(rollout => rollout.Situation);
            table.HasIndex(rollout => rollout.RequestId).IsUnique();
            table.HasIndex(rollout => rollout.Name).IsUnique();
            table.HasIndex(rollout => rollout.LookAt).HasFilter("look_at is not null").HasDatabaseName("ix_rollouts_due");
            table.HasOne<ImageRecord>().WithMany().HasForeignKey(rollout => rollout.ImageDigest).OnDelete(DeleteBehavior.Restrict);
        }
    }
}
