using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Coordinator.Gates;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>A gate behind a wave.</summary>
public sealed class RolloutGate : AskedGate
{
    public Guid RolloutId { get; set; }
    public int Wave { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<RolloutGate>
    {
        public void Configure(EntityTypeBuilder<RolloutGate> table)
        {
            table.ToTable("rollout_gates");
            table.HasKey(gate => new { gate.RolloutId, gate.Wave, gate.Name });
            table.Property(gate => gate.Answers).HasColumnType("jsonb");
            table.Property(gate => gate.BegunAt).IsRequired();
            table.HasOne<RolloutRecord>().WithMany().HasForeignKey(gate => gate.RolloutId).OnDelete(DeleteBehavior.Cascade);
            table.HasIndex(gate => gate.AskAt).HasFilter("ask_at is not null").HasDatabaseName("ix_rollout_gates_due");
        }
    }
}
