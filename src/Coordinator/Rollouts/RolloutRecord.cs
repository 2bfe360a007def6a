using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Images;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>What a rollout selects.</summary>
public enum RolloutKind
{
    /// <summary>Every guest of one host.</summary>
    Canary = 1,
}

/// <summary>One image brought to a selection of guests.</summary>
public sealed class RolloutRecord
{
    public Guid Id { get; set; }
    public RolloutKind Kind { get; set; }

    /// <summary>Chosen by the caller; a second call with it starts nothing.</summary>
    public Guid RequestId { get; set; }
    public required string HostName { get; set; }
    public required string ImageDigest { get; set; }

    /// <summary>The image as the caller wrote it, to tell a repeated request from another one.</summary>
    public required string RequestedImage { get; set; }

    /// <summary>As the caller asked for it.</summary>
    public UpgradeStrategy Strategy { get; set; }
    public bool RequireSignature { get; set; }
    public PanicPolicy OnPanic { get; set; }
    public DateTimeOffset CreatedAt { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<RolloutRecord>
    {
        public void Configure(EntityTypeBuilder<RolloutRecord> table)
        {
            table.ToTable("rollouts");
            table.HasKey(rollout => rollout.Id);
            table.Property(rollout => rollout.Id).ValueGeneratedNever();
            table.HasIndex(rollout => rollout.RequestId).IsUnique();
            table.HasOne<ImageRecord>().WithMany().HasForeignKey(rollout => rollout.ImageDigest).OnDelete(DeleteBehavior.Restrict);
        }
    }
}
