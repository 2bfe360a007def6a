using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Migrations.Migrations;

/// <summary>
/// The tables that Quartz 4.7 wants in PostgreSQL under its default prefix. Quartz validates them when it starts and is
/// told never to create any; a newer Quartz that wants more needs a migration of ours.
/// </summary>
[DbContext(typeof(FleetDbContext))]
[Migration("20261121014002_Scheduler")]
public sealed class Scheduler : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(
        """
        create table qrtz_job_details (
          sched_name text, job_name text, job_group text,
          description text,
          job_class_name text not null,
          is_durable bool not null, is_nonconcurrent bool not null, is_update_data bool not null,
          requests_recovery bool not null,
          job_data bytea,
          primary key (sched_name, job_name, job_group));

        create table qrtz_triggers (
          sched_name text, trigger_name text, trigger_group text,
          job_name text not null, job_group text not null,
          description text,
          next_fire_time bigint, prev_fire_time bigint,
          priority integer,
          trigger_state text not null, trigger_type text not null,
          start_time bigint not null, end_time bigint,
          calendar_name text,
          misfire_instr smallint, misfire_orig_fire_time bigint,
          execution_group varchar(200),
          preferred_node varchar(200), preferred_node_auto bool not null default false,
          retry_policy varchar(250), retry_attempt integer,
          continues_trigger_name text, continues_trigger_group text, continuation_condition integer,
          overlap_policy integer,
          pause_reason varchar(250), paused_by varchar(200), paused_at bigint,
          misfire_threshold bigint, fixed_delay bool,
          job_data bytea,
          primary key (sched_name, trigger_name, trigger_group),
          foreign key (sched_name, job_name, job_group) references qrtz_job_details);

        create table qrtz_simple_triggers (
          sched_name text, trigger_name text, trigger_group text,
          repeat_count bigint not null, repeat_interval bigint not null, times_triggered bigint not null,
          primary key (sched_name, trigger_name, trigger_group),
          foreign key (sched_name, trigger_name, trigger_group) references qrtz_triggers on delete cascade);

        create table qrtz_cron_triggers (
          sched_name text, trigger_name text, trigger_group text,
          cron_expression text not null, time_zone_id text,
          primary key (sched_name, trigger_name, trigger_group),
          foreign key (sched_name, trigger_name, trigger_group) references qrtz_triggers on delete cascade);

        create table qrtz_simprop_triggers (
          sched_name text, trigger_name text, trigger_group text,
          str_prop_1 text, str_prop_2 text, str_prop_3 text,
          int_prop_1 integer, int_prop_2 integer, long_prop_1 bigint, long_prop_2 bigint,
          dec_prop_1 numeric, dec_prop_2 numeric, bool_prop_1 bool, bool_prop_2 bool,
          time_zone_id text,
          primary key (sched_name, trigger_name, trigger_group),
          foreign key (sched_name, trigger_name, trigger_group) references qrtz_triggers on delete cascade);

        create table qrtz_blob_triggers (
          sched_name text, trigger_name text, trigger_group text,
          blob_data bytea,
          primary key (sched_name, trigger_name, trigger_group),
          foreign key (sched_name, trigger_name, trigger_group) references qrtz_triggers on delete cascade);

        create table qrtz_calendars (
          sched_name text, calendar_name text,
          calendar bytea not null,
          primary key (sched_name, calendar_name));

        create table qrtz_paused_trigger_grps (
          sched_name text, trigger_group text,
          pause_reason varchar(250), paused_by varchar(200), paused_at bigint,
          primary key (sched_name, trigger_group));

        create table qrtz_paused_job_grps (
          sched_name text, job_group text,
          pause_reason varchar(250), paused_by varchar(200), paused_at bigint,
          primary key (sched_name, job_group));

        create table qrtz_fired_triggers (
          sched_name text, entry_id text,
          trigger_name text not null, trigger_group text not null,
          instance_name text not null,
          fired_time bigint not null, sched_time bigint not null,
          priority integer not null,
          state text not null,
          job_name text, job_group text,
          is_nonconcurrent bool not null, requests_recovery bool,
          execution_group varchar(200),
          progress integer, progress_message varchar(250),
          interrupt_requested_time bigint,
          primary key (sched_name, entry_id));

        create table qrtz_scheduler_state (
          sched_name text, instance_name text,
          last_checkin_time bigint not null, checkin_interval bigint not null,
          quartz_version varchar(20),
          primary key (sched_name, instance_name));

        create table qrtz_locks (
          sched_name text, lock_name text,
          primary key (sched_name, lock_name));

        create table qrtz_execution_history (
          sched_name text, entry_id text,
          instance_name text not null,
          job_name text not null, job_group text not null,
          trigger_name text not null, trigger_group text not null,
          fired_time bigint not null, run_time bigint not null,
          succeeded bool not null, error_message text,
          retry_attempt integer not null default 0, retry_scheduled bool not null default false,
          execution_log text, result integer, summary text, metrics text,
          manual bool, fire_instance_id text,
          job_input text, job_input_too_large bool,
          primary key (sched_name, entry_id));

        create table qrtz_misfire_history (
          sched_name text, entry_id text,
          instance_name text not null,
          trigger_name text not null, trigger_group text not null,
          job_name text, job_group text,
          misfire_time bigint not null, sched_time bigint,
          reason integer,
          primary key (sched_name, entry_id));

        create table qrtz_job_status (
          sched_name text, job_group text, job_name text,
          first_fired_time bigint not null, last_fired_time bigint not null,
          last_result integer not null, last_run_time bigint not null,
          last_instance_name text not null, last_entry_id text, last_summary text,
          last_success_time bigint, last_failure_time bigint, last_failure_message text,
          consecutive_failures integer not null default 0,
          run_count bigint not null default 0, failure_count bigint not null default 0,
          primary key (sched_name, job_group, job_name));

        create index idx_qrtz_j_g_n on qrtz_job_details (sched_name, job_group, job_name);
        create index idx_qrtz_t_j on qrtz_triggers (sched_name, job_name, job_group);
        create index idx_qrtz_t_g_n on qrtz_triggers (sched_name, trigger_group, trigger_name);
        create index idx_qrtz_t_c on qrtz_triggers (sched_name, calendar_name);
        create index idx_qrtz_t_nft_st on qrtz_triggers (sched_name, trigger_state, next_fire_time, priority desc, misfire_instr);
        create index idx_qrtz_ft_inst_job_req_rcvry on qrtz_fired_triggers (sched_name, instance_name, requests_recovery);
        create index idx_qrtz_ft_j_g on qrtz_fired_triggers (sched_name, job_name, job_group);
        create index idx_qrtz_ft_t_g on qrtz_fired_triggers (sched_name, trigger_name, trigger_group);
        create index idx_qrtz_eh_fired_time on qrtz_execution_history (sched_name, fired_time);
        create index idx_qrtz_eh_inst on qrtz_execution_history (sched_name, instance_name);
        create index idx_qrtz_eh_job_time on qrtz_execution_history (sched_name, job_group, job_name, fired_time);
        create index idx_qrtz_eh_fire_inst on qrtz_execution_history (sched_name, fire_instance_id);
        create index idx_qrtz_eh_trig_time on qrtz_execution_history (sched_name, trigger_group, trigger_name, fired_time);
        create index idx_qrtz_mh_misfire_time on qrtz_misfire_history (sched_name, misfire_time);
        create index idx_qrtz_mh_inst on qrtz_misfire_history (sched_name, instance_name);
        """);

    protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(
        """
        drop table qrtz_simple_triggers, qrtz_cron_triggers, qrtz_simprop_triggers, qrtz_blob_triggers, qrtz_triggers,
          qrtz_job_details, qrtz_calendars, qrtz_paused_trigger_grps, qrtz_paused_job_grps, qrtz_fired_triggers,
          qrtz_scheduler_state, qrtz_locks, qrtz_execution_history, qrtz_misfire_history, qrtz_job_status;
        """);
}
