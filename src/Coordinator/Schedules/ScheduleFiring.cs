using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>What became of a moment of a schedule.</summary>
public enum FiringOutcome
{
    /// <summary>A rollout was made.</summary>
    Made = 1,

    /// <summary>None could be made of the template then.</summary>
    Refused = 2,

    /// <summary>Its time was over.</summary>
    Missed = 3,
}

/// <summary>One moment of one schedule that was decided: the key lets each be decided once. Never changed.</summary>
public sealed class ScheduleFiring
{
    public Guid ScheduleId { get; set; }
    public DateTimeOffset DueAt { get; set; }
    public DateTimeOffset DecidedAt { get; set; }
    public FiringOutcome Outcome { get; set; }

    /// <summary>Name of the rollout; null: none was made.</summary>
    public string? Rollout { get; set; }

    /// <summary>Why none was; null: one was.</summary>
    public string? Reason { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<ScheduleFiring>
    {
        public void Configure(EntityTypeBuilder<ScheduleFiring> table)
        {
            table.ToTable("schedule_firings");
            table.HasKey(firing => new { firing.ScheduleId, firing.DueAt });
            table.HasOne<RolloutSchedule>().WithMany().HasForeignKey(firing => firing.ScheduleId).OnDelete(DeleteBehavior.Cascade);
        }
    }
}
