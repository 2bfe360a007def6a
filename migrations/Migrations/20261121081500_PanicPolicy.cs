using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations.Migrations;

/// <summary>What a panic of kernel A means while kernel B stands by, and whether B has taken over; until now it was the machine's end.</summary>
[DbContext(typeof(FleetDbContext))]
[Migration("20261121081500_PanicPolicy")]
public sealed class PanicPolicy : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        foreach (string table in (string[])["rollouts", "upgrades"])
        {
            migrationBuilder.AddColumn<string>("on_panic", table, "text", nullable: false, defaultValue: "Reset");
        }

        migrationBuilder.AddColumn<string>("taken_over", "upgrades", "text", nullable: true);
    }

    protected override void Down(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.DropColumn("taken_over", "upgrades");
        foreach (string table in (string[])["upgrades", "rollouts"])
        {
            migrationBuilder.DropColumn("on_panic", table);
        }
    }
}
