using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>A gate of one upgrade, at standby or in the probation. Written when the upgrade is admitted: what a rollout says later does not change it.</summary>
public sealed class UpgradeGate : AskedGate
{
    public Guid UpgradeId { get; set; }
    public GatePoint Point { get; set; }

    /// <summary>The step that waits for it.</summary>
    public UpgradeStep Guarded => Point == GatePoint.Standby ? UpgradeStep.Transfer : UpgradeStep.Probation;

    /// <summary>As <see cref="GateForm"/>, JSON.</summary>
    public required string Definition { get; set; }

    public static UpgradeGate Of(GateSpec spec) => new()
    {
        Name = spec.Name,
        Point = spec.Point,
        State = GateState.Ask,
        Definition = JsonSerializer.Serialize(GateForm.Of(spec)),
    };

    public GateSpec ReadDefinition()
    {
        List<Violation> violations = [];
        return JsonSerializer.Deserialize<GateForm>(Definition)!.Read("", violations)
            ?? throw new InvalidOperationException($"The definition of gate {Name} of upgrade {UpgradeId} cannot be read: {string.Join(" ", violations)}");
    }

    /// <summary>How long the gates at one point take at most; null: there are none.</summary>
    public static TimeSpan? TimeOf(IEnumerable<GateSpec> gates, GatePoint point) =>
        gates.Where(gate => gate.Point == point).Select(gate => (TimeSpan?)(gate.Deadline + gate.Timeout).ToTimeSpan()).Max() + GateRunnerGrace;

    /// <summary>Longer than a gate may be late because the coordinator that asked it has died.</summary>
    private static readonly TimeSpan GateRunnerGrace = TimeSpan.FromMinutes(1);

    internal sealed class Map : IEntityTypeConfiguration<UpgradeGate>
    {
        public void Configure(EntityTypeBuilder<UpgradeGate> table)
        {
            table.ToTable("upgrade_gates");
            table.HasKey(gate => new { gate.UpgradeId, gate.Point, gate.Name });
            table.Ignore(gate => gate.Guarded);
            table.Property(gate => gate.Answers).HasColumnType("jsonb");
            table.Property(gate => gate.Definition).HasColumnType("jsonb");
        }
    }
}
