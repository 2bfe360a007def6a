using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Control;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Schedules;
using TwinKernel.Fleet.Coordinator.Timings;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Data;

/// <summary>The fleet's tables. The map of each entity stands beside it, in its feature's folder.</summary>
public sealed partial class FleetDbContext(DbContextOptions<FleetDbContext> options) : DbContext(options)
{
    public DbSet<HostRecord> Hosts => Set<HostRecord>();
    public DbSet<GuestRecord> Guests => Set<GuestRecord>();
    public DbSet<ImageRecord> Images => Set<ImageRecord>();
    public DbSet<HostImageRecord> HostImages => Set<HostImageRecord>();
    public DbSet<RolloutRecord> Rollouts => Set<RolloutRecord>();
    public DbSet<UpgradeRecord> Upgrades => Set<UpgradeRecord>();
    public DbSet<UpgradeGate> UpgradeGates => Set<UpgradeGate>();
    public DbSet<UpgradeStepRecord> UpgradeSteps => Set<UpgradeStepRecord>();
    public DbSet<StepTimingRecord> StepTimings => Set<StepTimingRecord>();
    public DbSet<RolloutWave> RolloutWaves => Set<RolloutWave>();
    public DbSet<RolloutMember> RolloutMembers => Set<RolloutMember>();
    public DbSet<RolloutApproval> RolloutApprovals => Set<RolloutApproval>();
    public DbSet<RolloutGate> RolloutGates => Set<RolloutGate>();
    public DbSet<AdmissionLease> AdmissionLeases => Set<AdmissionLease>();
    public DbSet<FleetControl> FleetControl => Set<FleetControl>();
    public DbSet<RolloutSchedule> Schedules => Set<RolloutSchedule>();
    public DbSet<ScheduleFiring> ScheduleFirings => Set<ScheduleFiring>();
    public DbSet<AuditEntry> Audit => Set<AuditEntry>();
    public DbSet<OutboxMessage> Outbox => Set<OutboxMessage>();
    public DbSet<InboxMessage> Inbox => Set<InboxMessage>();

    protected override void ConfigureConventions(ModelConfigurationBuilder conventions)
    {
        // Names, not numbers: the tables are read by people, and an enum may get members in its middle.
        conventions.Properties<UpgradeState>().HaveConversion<string>();
        conventions.Properties<StepPhase>().HaveConversion<string>();
        conventions.Properties<UpgradeStep>().HaveConversion<string>();
        conventions.Properties<UpgradeStrategy>().HaveConversion<string>();
        conventions.Properties<PanicPolicy>().HaveConversion<string>();
        conventions.Properties<UpgradeFailure>().HaveConversion<string>();
        conventions.Properties<StepOutcome>().HaveConversion<string>();
        conventions.Properties<StepWord>().HaveConversion<string>();
        conventions.Properties<IgnoredEvent>().HaveConversion<string>();
        conventions.Properties<GuestState>().HaveConversion<string>();
        conventions.Properties<RolloutKind>().HaveConversion<string>();
        conventions.Properties<RolloutState>().HaveConversion<string>();
        conventions.Properties<MemberState>().HaveConversion<string>();
        conventions.Properties<GatePoint>().HaveConversion<string>();
        conventions.Properties<GateState>().HaveConversion<string>();
        conventions.Properties<MissedFiringPolicy>().HaveConversion<string>();
        conventions.Properties<FiringOutcome>().HaveConversion<string>();
    }

    protected override void OnModelCreating(ModelBuilder model)
    {
        model.ApplyConfigurationsFromAssembly(typeof(FleetDbContext).Assembly);
        foreach (IMutableEntityType entity in model.Model.GetEntityTypes())
        {
            foreach (IMutableProperty property in entity.GetProperties())
            {
                property.SetColumnName(property.IsConcurrencyToken ? "xmin" : SnakeCase(property.Name));
            }

            foreach (IMutableKey key in entity.GetKeys())
            {
                key.SetName(SnakeCase(key.GetName()!));
            }

            foreach (IMutableForeignKey reference in entity.GetForeignKeys())
            {
                reference.SetConstraintName(SnakeCase(reference.GetConstraintName()!));
            }

            foreach (IMutableIndex index in entity.GetIndexes())
            {
                index.SetDatabaseName(SnakeCase(index.GetDatabaseName()!));
            }
        }
    }

#pragma warning disable CA1308 // PostgreSQL's unquoted names are lower case.
    private static string SnakeCase(string name) => WordStart().Replace(name, "_$0").ToLowerInvariant();
#pragma warning restore CA1308

    [GeneratedRegex("(?<=[a-z0-9])[A-Z]")]
    private static partial Regex WordStart();
}
