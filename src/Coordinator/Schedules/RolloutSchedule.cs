using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>A rollout that is made again and again.</summary>
public sealed class RolloutSchedule
{
    public Guid Id { get; set; }

    /// <summary>Unique; the beginning of its rollouts' names.</summary>
    public required string Name { get; set; }

    /// <summary>The parts of its <see cref="ScheduleTime"/>, as text.</summary>
    public required string Recurrence { get; set; }
    public required string At { get; set; }
    public required string Zone { get; set; }

    /// <summary>What each rollout is made of, JSON as the caller wrote it but for the name.</summary>
    public required string Template { get; set; }

    /// <summary>Each rollout is started at once.</summary>
    public bool Start { get; set; }
    public MissedFiringPolicy Missed { get; set; }
    public TimeSpan MissedLimit { get; set; }

    /// <summary>False: it is paused, and moments that pass meanwhile are not missed but left out.</summary>
    public bool Enabled { get; set; }

    /// <summary>Moments until then are decided.</summary>
    public DateTimeOffset SettledTo { get; set; }

    /// <summary>When somebody must look after it; null: it is paused, or its time comes no more.</summary>
    public DateTimeOffset? NextFireAt { get; set; }
    public required string CreatedBy { get; set; }
    public DateTimeOffset CreatedAt { get; set; }

    /// <exception cref="InvalidOperationException">The zone is none any more.</exception>
    public ScheduleTime Time
    {
        get
        {
            List<Violation> violations = [];
            return ScheduleTime.Read(Recurrence, At, Zone, "when", violations)
                ?? throw new InvalidOperationException($"The time of schedule {Name} cannot be read: {string.Join(' ', violations.Select(one => one.Message))}");
        }
    }

    /// <summary>Everything until now is decided; looks for the next moment.</summary>
    public void Settle(DateTimeOffset now)
    {
        SettledTo = now;
        NextFireAt = Enabled ? Time.Next(Instant.FromDateTimeOffset(now))?.ToDateTimeOffset() : null;
    }

    /// <summary>The template with the name of one of its rollouts: <c>NAME-YYYYMMDD</c> of the local date, or <c>-2</c>, <c>-3</c>, ... of that when it is taken.</summary>
    public async Task<(string Name, string Definition)> DefinitionAsync(FleetDbContext db, Instant due, CancellationToken cancellation)
    {
        string first = $"{Name}-{due.InZone(Time.Zone).Date.ToString("uuuuMMdd", CultureInfo.InvariantCulture)}";
        HashSet<string?> taken = [.. await db.Rollouts.Where(rollout => rollout.Name!.StartsWith(first)).Select(rollout => rollout.Name).ToListAsync(cancellation)];
        string name = first;
        for (int number = 2; taken.Contains(name); number++)
        {
            name = $"{first}-{number.ToString(CultureInfo.InvariantCulture)}";
        }

        JsonNode definition = JsonNode.Parse(Template)!;
        definition["name"] = name;
        return (name, definition.ToJsonString());
    }

    /// <summary>Holds the row until the end of the transaction.</summary>
    /// <exception cref="Grpc.Core.RpcException">NOT_FOUND.</exception>
    public static async Task<RolloutSchedule> LockAsync(FleetDbContext db, string name, CancellationToken cancellation) =>
        await db.Schedules.FromSql($"select * from schedules where name = {name} for update").SingleOrDefaultAsync(cancellation) ?? throw Unknown(name);

    public static Grpc.Core.RpcException Unknown(string name) => Refusal.NotFound($"Schedule '{name}' is not known; see `twinfleet schedule list`.");

    internal sealed class Map : IEntityTypeConfiguration<RolloutSchedule>
    {
        public void Configure(EntityTypeBuilder<RolloutSchedule> table)
        {
            table.ToTable("schedules");
            table.HasKey(schedule => schedule.Id);
            table.Property(schedule => schedule.Id).ValueGeneratedNever();
            table.Property(schedule => schedule.Template).HasColumnType("jsonb");
            table.Ignore(schedule => schedule.Time);
            table.HasIndex(schedule => schedule.Name).IsUnique();
            table.HasIndex(schedule => schedule.NextFireAt).HasFilter("next_fire_at is not null").HasDatabaseName("ix_schedules_due");
        }
    }
}
