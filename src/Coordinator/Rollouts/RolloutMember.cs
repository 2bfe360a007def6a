using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Coordinator.Guests;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>Where a guest of a rollout stands.</summary>
public enum MemberState
{
    /// <summary>Not upgraded yet, or to be tried again.</summary>
    Waiting = 1,

    /// <summary>Its upgrade is active.</summary>
    Running = 2,

    /// <summary>It runs the rollout's image.</summary>
    Succeeded = 3,

    /// <summary>All its attempts failed, or one left it in doubt.</summary>
    Failed = 4,

    /// <summary>It was not upgraded, and will not be by this rollout.</summary>
    Skipped = 5,

    /// <summary>Is to be brought back to the image it came from.</summary>
    UndoWaiting = 6,

    /// <summary>The upgrade to the image it came from is active.</summary>
    Undoing = 7,

    /// <summary>It runs the image it came from.</summary>
    Undone = 8,

    /// <summary>It could not be brought back.</summary>
    UndoFailed = 9,
}

/// <summary>A guest in a rollout.</summary>
public sealed class RolloutMember
{
    public Guid RolloutId { get; set; }
    public required string HostName { get; set; }
    public required string GuestName { get; set; }

    /// <summary>From 1.</summary>
    public int Wave { get; set; }

    /// <summary>Its place in the plan: the order in which guests are admitted.</summary>
    public int Position { get; set; }
    public MemberState State { get; set; }

    /// <summary>How many upgrades were begun, those not counted that were aborted.</summary>
    public int Attempt { get; set; }

    /// <summary>What it ran when its upgrade began: where a roll-back leads. Null: none was begun.</summary>
    public string? ImageBefore { get; set; }

    /// <summary>The newest upgrade; null: none was begun.</summary>
    public Guid? UpgradeId { get; set; }

    /// <summary>Not admitted before; null: at any time.</summary>
    public DateTimeOffset? NotBefore { get; set; }

    /// <summary>Why it is where it is, one sentence without a full stop; null: the rollout's own state says it.</summary>
    public string? Why { get; set; }

    /// <summary>When its last upgrade ended.</summary>
    public DateTimeOffset? EndedAt { get; set; }

    /// <summary>The rollout holds the guest: no other one takes it. True until the rollout ends.</summary>
    public bool Held { get; set; }

    public GuestId Guest => new(HostName, GuestName);

    internal sealed class Map : IEntityTypeConfiguration<RolloutMember>
    {
        public const string Active = "state in ('Running', 'Undoing')";

        public void Configure(EntityTypeBuilder<RolloutMember> table)
        {
            table.ToTable("rollout_members");
            table.HasKey(member => new { member.RolloutId, member.HostName, member.GuestName });
            table.Ignore(member => member.Guest);
            table.HasOne<RolloutRecord>().WithMany().HasForeignKey(member => member.RolloutId).OnDelete(DeleteBehavior.Cascade);
            table.HasOne<GuestRecord>().WithMany().HasForeignKey(member => new { member.HostName, member.GuestName }).OnDelete(DeleteBehavior.Restrict);
            table.HasIndex(member => new { member.HostName, member.GuestName })
                .IsUnique().HasFilter("held").HasDatabaseName("ux_rollout_members_one_rollout_per_guest");
            table.HasIndex(member => new { member.RolloutId, member.Wave, member.State, member.Position });
            table.HasIndex(member => member.UpgradeId).HasFilter(Active).HasDatabaseName("ix_rollout_members_active");
        }
    }
}
