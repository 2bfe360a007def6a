using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Control;

/// <summary>
/// The one row of the fleet as a whole. Whoever admits guests holds it until his commit: limits are counted by one at a time,
/// and nobody is admitted behind the back of an emergency stop.
/// </summary>
public sealed class FleetControl
{
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public int Id { get; set; }

    /// <summary>Since when nothing may begin; null: it may.</summary>
    public DateTimeOffset? StoppedAt { get; set; }
    public string? StoppedBy { get; set; }
    public string? StopReason { get; set; }

    /// <summary>The fleet's own limits, whatever a rollout has: a JSON array of <see cref="LimitForm"/>.</summary>
    public string Limits { get; set; } = "[]";

    /// <summary>Blackout calendars that rollouts name: a JSON array of <see cref="CalendarForm"/>.</summary>
    public string Calendars { get; set; } = "[]";

    /// <summary>Holds the row until the end of the transaction.</summary>
    public static Task<FleetControl> LockAsync(FleetDbContext db, CancellationToken cancellation) =>
        db.FleetControl.FromSql($"select * from fleet_control where id = 1 for update").SingleAsync(cancellation);

    public string Sentence => $"the fleet was stopped by {StoppedBy} at {StoppedAt:u}: {StopReason}";

    public IReadOnlyList<LayerLimit> ReadLimits()
    {
        List<Violation> none = [];
        return [.. JsonSerializer.Deserialize<List<LimitForm>>(Limits, Json)!.Select(limit => limit.Read("limits", none)).OfType<LayerLimit>()];
    }

    public IReadOnlyList<BlackoutCalendar> ReadCalendars()
    {
        List<Violation> none = [];
        return [.. JsonSerializer.Deserialize<List<CalendarForm>>(Calendars, Json)!.Select(calendar => calendar.Read("calendars", none)).OfType<BlackoutCalendar>()];
    }

    internal sealed class Map : IEntityTypeConfiguration<FleetControl>
    {
        public void Configure(EntityTypeBuilder<FleetControl> table)
        {
            table.ToTable("fleet_control");
            table.HasKey(row => row.Id);
            table.Property(row => row.Id).ValueGeneratedNever();
            table.Property(row => row.Limits).HasColumnType("jsonb").HasDefaultValueSql("'[]'::jsonb");
            table.Property(row => row.Calendars).HasColumnType("jsonb").HasDefaultValueSql("'[]'::jsonb");
            table.Ignore(row => row.Sentence);
            table.HasData(new FleetControl { Id = 1 });
        }
    }
}
