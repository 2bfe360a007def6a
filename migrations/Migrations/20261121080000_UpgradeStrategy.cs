using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations.Migrations;

/// <summary>How an upgrade goes about it, and what became of the image's signature; every upgrade so far was a twin.</summary>
[DbContext(typeof(FleetDbContext))]
[Migration("20261121080000_UpgradeStrategy")]
public sealed class UpgradeStrategy : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        foreach (string table in (string[])["rollouts", "upgrades"])
        {
            migrationBuilder.AddColumn<string>("strategy", table, "text", nullable: false, defaultValue: "Twin");
            migrationBuilder.AddColumn<bool>("require_signature", table, "boolean", nullable: false, defaultValue: false);
        }

        migrationBuilder.AddColumn<string>("strategy_reason", "upgrades", "text", nullable: true);
        migrationBuilder.AddColumn<string>("signature", "upgrades", "text", nullable: true);
    }

    protected override void Down(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.DropColumn("signature", "upgrades");
        migrationBuilder.DropColumn("strategy_reason", "upgrades");
        foreach (string table in (string[])["upgrades", "rollouts"])
        {
            migrationBuilder.DropColumn("require_signature", table);
            migrationBuilder.DropColumn("strategy", table);
        }
    }
}
