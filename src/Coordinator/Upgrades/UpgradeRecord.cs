using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Timings;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>One attempt on one guest. The row is the truth about the upgrade.</summary>
public sealed class UpgradeRecord
{
    public Guid Id { get; set; }
    public Guid RolloutId { get; set; }
    public required string HostName { get; set; }
    public required string GuestName { get; set; }
    public required string ImageDigest { get; set; }
    public required string ImageName { get; set; }

    /// <summary>The guest's epoch that this upgrade took.</summary>
    public long Epoch { get; set; }

    public UpgradeState State { get; set; }
    public StepPhase Phase { get; set; }
    public int Attempt { get; set; }

    /// <summary>When the reconciler must look after the upgrade; null once it has ended.</summary>
    public DateTimeOffset? DeadlineAt { get; set; }

    /// <summary>As asked for; <see cref="UpgradeStrategy.Auto"/> until Preflight has chosen.</summary>
    public UpgradeStrategy Strategy { get; set; }

    /// <summary>Why not an earlier strategy was chosen; null when there is none or one was asked for.</summary>
    public string? StrategyReason { get; set; }
    public bool RequireSignature { get; set; }
    public PanicPolicy OnPanic { get; set; }

    /// <summary>In which step, and why, kernel B took the machine over without a cut-over; null: it did not.</summary>
    public string? TakenOver { get; set; }

    /// <summary>What kernel A said of the image's signature; null before it was asked.</summary>
    public string? Signature { get; set; }

    public DateTimeOffset CreatedAt { get; set; }
    public DateTimeOffset ChangedAt { get; set; }

    /// <summary>Null while the upgrade is active; at most one active upgrade per guest.</summary>
    public DateTimeOffset? FinishedAt { get; set; }

    public UpgradeStep? FailedStep { get; set; }
    public UpgradeFailure Failure { get; set; }
    public string? Reason { get; set; }
    public string? Progress { get; set; }

    /// <summary>See <see cref="GateTimes"/>; null: no gates there.</summary>
    public TimeSpan? StandbyGateTime { get; set; }
    public TimeSpan? ProbationGateTime { get; set; }

    public string? KernelReleaseBefore { get; set; }
    public string? BootIdBefore { get; set; }
    public string? KernelReleaseAfter { get; set; }
    public string? BootIdAfter { get; set; }
    public int? CpusOnlineAfter { get; set; }
    public int? CpusPresentAfter { get; set; }
    public long? MachineMemoryBytes { get; set; }
    public long? MachineMemoryOwnedAfter { get; set; }

    public long? OutageLongestGapNs { get; set; }
    public long? OutageSent { get; set; }
    public long? OutageAnswered { get; set; }
    public long? OutageIntervalNs { get; set; }
    public bool? OutageInterrupted { get; set; }

    /// <summary>PostgreSQL's xmin: a second writer of the same version fails and decides anew.</summary>
    public uint Version { get; set; }

    public List<UpgradeStepRecord> Steps { get; } = [];

    public List<UpgradeGate> Gates { get; } = [];

    public UpgradeSituation Situation => new(State, Phase, Attempt, HostName, Epoch, Strategy) { Gates = new GateTimes(StandbyGateTime, ProbationGateTime) };

    internal sealed class Map : IEntityTypeConfiguration<UpgradeRecord>
    {
        public void Configure(EntityTypeBuilder<UpgradeRecord> table)
        {
            table.ToTable("upgrades");
            table.HasKey(upgrade => upgrade.Id);
            table.Property(upgrade => upgrade.Id).ValueGeneratedNever();
            table.Property(upgrade => upgrade.Version).IsRowVersion();
            table.Ignore(upgrade => upgrade.Situation);
            table.HasOne<RolloutRecord>().WithMany().HasForeignKey(upgrade => upgrade.RolloutId).OnDelete(DeleteBehavior.Restrict);
            table.HasOne<GuestRecord>().WithMany().HasForeignKey(upgrade => new { upgrade.HostName, upgrade.GuestName }).OnDelete(DeleteBehavior.Restrict);
            table.HasOne<ImageRecord>().WithMany().HasForeignKey(upgrade => upgrade.ImageDigest).OnDelete(DeleteBehavior.Restrict);
            table.HasMany(upgrade => upgrade.Gates).WithOne().HasForeignKey(gate => gate.UpgradeId);
            table.HasMany(upgrade => upgrade.Steps).WithOne().HasForeignKey(step => step.UpgradeId);
            table.HasIndex(upgrade => new { upgrade.HostName, upgrade.GuestName })
                .IsUnique().HasFilter("finished_at is null").HasDatabaseName("ux_upgrades_one_active_per_guest");
            table.HasIndex(upgrade => upgrade.DeadlineAt)
                .HasFilter("finished_at is null").HasDatabaseName("ix_upgrades_due");
            table.HasIndex(upgrade => upgrade.CreatedAt);
        }
    }
}
