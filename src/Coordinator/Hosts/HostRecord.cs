using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace TwinKernel.Fleet.Coordinator.Hosts;

/// <summary>A host as its newest heartbeat described it.</summary>
public sealed class HostRecord
{
    public required string Name { get; set; }
    public Guid Incarnation { get; set; }
    public DateTimeOffset IncarnationStartedAt { get; set; }
    public long Sequence { get; set; }
    public TimeSpan HeartbeatInterval { get; set; }

    /// <summary>When the newest heartbeat was taken in, coordinator's clock.</summary>
    public DateTimeOffset LastSeen { get; set; }
    public required string AgentVersion { get; set; }
    public required string Accelerator { get; set; }

    /// <summary>As the host's configuration gives them.</summary>
    public Dictionary<string, string> Labels { get; set; } = [];

    /// <summary>A heartbeat came within the last three intervals.</summary>
    public bool IsOnline(DateTimeOffset now) => now - LastSeen <= 3 * HeartbeatInterval;

    internal sealed class Map : IEntityTypeConfiguration<HostRecord>
    {
        public void Configure(EntityTypeBuilder<HostRecord> table)
        {
            table.ToTable("hosts");
            table.HasKey(host => host.Name);
            table.Property(host => host.Labels).IsLabels();
        }
    }
}
