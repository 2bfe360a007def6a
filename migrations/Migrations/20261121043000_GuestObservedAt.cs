using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations.Migrations;

/// <summary>When a guest was seen as its row says; null for what was seen before this column was there.</summary>
[DbContext(typeof(FleetDbContext))]
[Migration("20261121043000_GuestObservedAt")]
public sealed class GuestObservedAt : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.AddColumn<DateTimeOffset>("observed_at", "guests", "timestamp with time zone", nullable: true);

    protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.DropColumn("observed_at", "guests");
}
