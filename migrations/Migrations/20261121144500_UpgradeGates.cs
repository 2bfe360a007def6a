using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations.Migrations;

/// <summary>Gates inside an upgrade, at standby and in the probation.</summary>
[DbContext(typeof(FleetDbContext))]
[Migration("20261121144500_UpgradeGates")]
public sealed class UpgradeGates : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(
        """
        alter table upgrades add standby_gate_time interval, add probation_gate_time interval;
        create table upgrade_gates (
          upgrade_id uuid not null constraint fk_upgrade_gates_upgrades_upgrade_id references upgrades on delete cascade,
          point text not null,
          name text not null,
          definition jsonb not null,
          state text not null,
          why text,
          begun_at timestamp with time zone,
          ask_at timestamp with time zone,
          asking_until timestamp with time zone,
          answers jsonb not null,
          constraint pk_upgrade_gates primary key (upgrade_id, point, name));
        """);

    protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(
        """
        drop table upgrade_gates;
        alter table upgrades drop standby_gate_time, drop probation_gate_time;
        """);
}
