using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations.Migrations;

/// <summary>Rollouts that are made again and again, and what became of each of their moments.</summary>
[DbContext(typeof(FleetDbContext))]
[Migration("20261121124500_Schedules")]
public sealed class Schedules : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(
        """
        create table schedules (
          id uuid constraint pk_schedules primary key,
          name text not null,
          recurrence text not null,
          at text not null,
          zone text not null,
          template jsonb not null,
          start boolean not null,
          missed text not null,
          missed_limit interval not null,
          enabled boolean not null,
          settled_to timestamp with time zone not null,
          next_fire_at timestamp with time zone,
          created_by text not null,
          created_at timestamp with time zone not null);
        create unique index ix_schedules_name on schedules (name);
        create index ix_schedules_due on schedules (next_fire_at) where next_fire_at is not null;

        create table schedule_firings (
          schedule_id uuid not null constraint fk_schedule_firings_schedules_schedule_id references schedules on delete cascade,
          due_at timestamp with time zone not null,
          decided_at timestamp with time zone not null,
          outcome text not null,
          rollout text,
          reason text,
          constraint pk_schedule_firings primary key (schedule_id, due_at));
        """);

    protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("drop table schedule_firings, schedules;");
}
