using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.Timings;

/// <summary>How an attempt at a step stands.</summary>
public enum StepOutcome
{
    Running = 1,
    Succeeded = 2,
    Failed = 3,
}

/// <summary>One attempt at one step: the upgrade's journal.</summary>
public sealed class UpgradeStepRecord
{
    public Guid UpgradeId { get; set; }
    public UpgradeStep Step { get; set; }

    /// <summary>1 for the first.</summary>
    public int Attempt { get; set; }
    public StepOutcome State { get; set; }

    /// <summary>When the command was written, coordinator's wall clock; for people and for order.</summary>
    public DateTimeOffset StartedAt { get; set; }
    public DateTimeOffset? AcceptedAt { get; set; }
    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>The whole step as the host measured it, nanoseconds of <see cref="Clock"/>; null when it reported none.</summary>
    public long? DurationNs { get; set; }

    /// <summary>The monotonic clock of <see cref="DurationNs"/>; never compared with another.</summary>
    public string? Clock { get; set; }
    public UpgradeFailure Failure { get; set; }
    public string? Reason { get; set; }

    public List<StepTimingRecord> Timings { get; } = [];

    internal sealed class Map : IEntityTypeConfiguration<UpgradeStepRecord>
    {
        public void Configure(EntityTypeBuilder<UpgradeStepRecord> table)
        {
            table.ToTable("upgrade_steps");
            table.HasKey(step => new { step.UpgradeId, step.Step, step.Attempt });
            table.HasMany(step => step.Timings).WithOne()
                .HasForeignKey(timing => new { timing.UpgradeId, timing.Step, timing.Attempt });
        }
    }
}

/// <summary>One measured part of a step, as the host sent it.</summary>
public sealed class StepTimingRecord
{
    public Guid UpgradeId { get; set; }
    public UpgradeStep Step { get; set; }
    public int Attempt { get; set; }

    /// <summary>0 for the whole step, then its parts in the order they were sent.</summary>
    public int Position { get; set; }
    public required string Name { get; set; }
    public required string Clock { get; set; }
    public long Nanoseconds { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<StepTimingRecord>
    {
        public void Configure(EntityTypeBuilder<StepTimingRecord> table)
        {
            table.ToTable("step_timings");
            table.HasKey(timing => new { timing.UpgradeId, timing.Step, timing.Attempt, timing.Position });
        }
    }
}
