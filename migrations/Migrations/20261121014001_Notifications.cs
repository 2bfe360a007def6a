using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations.Migrations;

/// <summary>
/// Every transaction that writes a command or changes an upgrade tells the coordinators so when it commits, whoever wrote
/// it: channels twinfleet_outbox (no payload) and twinfleet_upgrade (the upgrade's id).
/// </summary>
[DbContext(typeof(FleetDbContext))]
[Migration("20261121014001_Notifications")]
public sealed class Notifications : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(
        """
        create function notify_outbox() returns trigger language plpgsql as $$
        begin
          perform pg_notify('twinfleet_outbox', '');
          return null;
        end $$;

        create trigger outbox_written after insert on outbox
          for each statement execute function notify_outbox();

        create function notify_upgrade() returns trigger language plpgsql as $$
        begin
          perform pg_notify('twinfleet_upgrade', new.id::text);
          return null;
        end $$;

        create trigger upgrade_changed after insert or update on upgrades
          for each row execute function notify_upgrade();
        """);

    protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(
        """
        drop trigger upgrade_changed on upgrades;
        drop trigger outbox_written on outbox;
        drop function notify_upgrade();
        drop function notify_outbox();
        """);
}
