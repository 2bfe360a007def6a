using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Gates;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>A gate of a wave that is, or was, asked.</summary>
public sealed class RolloutGate
{
    public Guid RolloutId { get; set; }
    public int Wave { get; set; }
    public required string Name { get; set; }
    public GateState State { get; set; }

    /// <summary>Why it is stopped; null otherwise.</summary>
    public string? Why { get; set; }
    public DateTimeOffset BegunAt { get; set; }

    /// <summary>When it is asked next; null: it is decided.</summary>
    public DateTimeOffset? AskAt { get; set; }

    /// <summary>Until when a coordinator may be asking it; another one does afterwards. Null: nobody is.</summary>
    public DateTimeOffset? AskingUntil { get; set; }

    /// <summary>All answers since <see cref="BegunAt"/>, JSON.</summary>
    public string Answers { get; set; } = "[]";

    public IReadOnlyList<GateAnswer> ReadAnswers() =>
        [.. JsonSerializer.Deserialize<List<Stored>>(Answers)!.Select(one => new GateAnswer(Instant.FromDateTimeOffset(one.At), one.Outcome, one.Detail))];

    public void Add(GateAnswer answer) => Answers = JsonSerializer.Serialize(
        ReadAnswers().Append(answer).Select(one => new Stored(one.At.ToDateTimeOffset(), one.Outcome, one.Detail)));

    private sealed record Stored(DateTimeOffset At, GateOutcome Outcome, string Detail);

    internal sealed class Map : IEntityTypeConfiguration<RolloutGate>
    {
        public void Configure(EntityTypeBuilder<RolloutGate> table)
        {
            table.ToTable("rollout_gates");
            table.HasKey(gate => new { gate.RolloutId, gate.Wave, gate.Name });
            table.Property(gate => gate.Answers).HasColumnType("jsonb");
            table.HasOne<RolloutRecord>().WithMany().HasForeignKey(gate => gate.RolloutId).OnDelete(DeleteBehavior.Cascade);
            table.HasIndex(gate => gate.AskAt).HasFilter("ask_at is not null").HasDatabaseName("ix_rollout_gates_due");
        }
    }
}
