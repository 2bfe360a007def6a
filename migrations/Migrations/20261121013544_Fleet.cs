using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace TwinKernel.Fleet.Migrations.Migrations
{
    /// <inheritdoc />
    public partial class Fleet : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "hosts",
                columns: table => new
                {
                    name = table.Column<string>(type: "text", nullable: false),
                    incarnation = table.Column<Guid>(type: "uuid", nullable: false),
                    incarnation_started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    sequence = table.Column<long>(type: "bigint", nullable: false),
                    heartbeat_interval = table.Column<TimeSpan>(type: "interval", nullable: false),
                    last_seen = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    agent_version = table.Column<string>(type: "text", nullable: false),
                    accelerator = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_hosts", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "images",
                columns: table => new
                {
                    digest = table.Column<string>(type: "text", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    kernel_release = table.Column<string>(type: "text", nullable: false),
                    bytes = table.Column<long>(type: "bigint", nullable: false),
                    first_seen = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_images", x => x.digest);
                });

            migrationBuilder.CreateTable(
                name: "inbox",
                columns: table => new
                {
                    message_id = table.Column<Guid>(type: "uuid", nullable: false),
                    upgrade_id = table.Column<Guid>(type: "uuid", nullable: false),
                    epoch = table.Column<long>(type: "bigint", nullable: false),
                    step = table.Column<string>(type: "text", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    word = table.Column<string>(type: "text", nullable: false),
                    received_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    ignored = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_inbox", x => x.message_id);
                });

            migrationBuilder.CreateTable(
                name: "outbox",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    message_id = table.Column<Guid>(type: "uuid", nullable: false),
                    upgrade_id = table.Column<Guid>(type: "uuid", nullable: false),
                    queue = table.Column<string>(type: "text", nullable: false),
                    body = table.Column<string>(type: "jsonb", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    sent_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    expired_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_outbox", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "guests",
                columns: table => new
                {
                    host_name = table.Column<string>(type: "text", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    state = table.Column<string>(type: "text", nullable: false),
                    image_digest = table.Column<string>(type: "text", nullable: false),
                    service_address = table.Column<string>(type: "text", nullable: false),
                    epoch = table.Column<long>(type: "bigint", nullable: false),
                    gone_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    kernel_release = table.Column<string>(type: "text", nullable: true),
                    boot_id = table.Column<string>(type: "text", nullable: true),
                    has_parent = table.Column<bool>(type: "boolean", nullable: false),
                    cpus_online = table.Column<int>(type: "integer", nullable: false),
                    cpus_present = table.Column<int>(type: "integer", nullable: false),
                    memory_bytes = table.Column<long>(type: "bigint", nullable: false),
                    machine_memory_bytes = table.Column<long>(type: "bigint", nullable: false),
                    machine_memory_owned_bytes = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_guests", x => new { x.host_name, x.name });
                    table.ForeignKey(
                        name: "fk_guests_hosts_host_name",
                        column: x => x.host_name,
                        principalTable: "hosts",
                        principalColumn: "name",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "host_images",
                columns: table => new
                {
                    host_name = table.Column<string>(type: "text", nullable: false),
                    digest = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_host_images", x => new { x.host_name, x.digest });
                    table.ForeignKey(
                        name: "fk_host_images_hosts_host_name",
                        column: x => x.host_name,
                        principalTable: "hosts",
                        principalColumn: "name",
                        onDelete: ReferentialAction.Restrict);
                    table.ForeignKey(
                        name: "fk_host_images_images_digest",
                        column: x => x.digest,
                        principalTable: "images",
                        principalColumn: "digest",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "rollouts",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    kind = table.Column<string>(type: "text", nullable: false),
                    request_id = table.Column<Guid>(type: "uuid", nullable: false),
                    host_name = table.Column<string>(type: "text", nullable: false),
                    image_digest = table.Column<string>(type: "text", nullable: false),
                    requested_image = table.Column<string>(type: "text", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_rollouts", x => x.id);
                    table.ForeignKey(
                        name: "fk_rollouts_images_image_digest",
                        column: x => x.image_digest,
                        principalTable: "images",
                        principalColumn: "digest",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "upgrades",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    rollout_id = table.Column<Guid>(type: "uuid", nullable: false),
                    host_name = table.Column<string>(type: "text", nullable: false),
                    guest_name = table.Column<string>(type: "text", nullable: false),
                    image_digest = table.Column<string>(type: "text", nullable: false),
                    image_name = table.Column<string>(type: "text", nullable: false),
                    epoch = table.Column<long>(type: "bigint", nullable: false),
                    state = table.Column<string>(type: "text", nullable: false),
                    phase = table.Column<string>(type: "text", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    deadline_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    changed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    finished_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    failed_step = table.Column<string>(type: "text", nullable: true),
                    failure = table.Column<string>(type: "text", nullable: false),
                    reason = table.Column<string>(type: "text", nullable: true),
                    progress = table.Column<string>(type: "text", nullable: true),
                    kernel_release_before = table.Column<string>(type: "text", nullable: true),
                    boot_id_before = table.Column<string>(type: "text", nullable: true),
                    kernel_release_after = table.Column<string>(type: "text", nullable: true),
                    boot_id_after = table.Column<string>(type: "text", nullable: true),
                    cpus_online_after = table.Column<int>(type: "integer", nullable: true),
                    cpus_present_after = table.Column<int>(type: "integer", nullable: true),
                    machine_memory_bytes = table.Column<long>(type: "bigint", nullable: true),
                    machine_memory_owned_after = table.Column<long>(type: "bigint", nullable: true),
                    outage_longest_gap_ns = table.Column<long>(type: "bigint", nullable: true),
                    outage_sent = table.Column<long>(type: "bigint", nullable: true),
                    outage_answered = table.Column<long>(type: "bigint", nullable: true),
                    outage_interval_ns = table.Column<long>(type: "bigint", nullable: true),
                    outage_interrupted = table.Column<bool>(type: "boolean", nullable: true),
                    xmin = table.Column<uint>(type: "xid", rowVersion: true, nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_upgrades", x => x.id);
                    table.ForeignKey(
                        name: "fk_upgrades_guests_host_name_guest_name",
                        columns: x => new { x.host_name, x.guest_name },
                        principalTable: "guests",
                        principalColumns: new[] { "host_name", "name" },
                        onDelete: ReferentialAction.Restrict);
                    table.ForeignKey(
                        name: "fk_upgrades_images_image_digest",
                        column: x => x.image_digest,
                        principalTable: "images",
                        principalColumn: "digest",
                        onDelete: ReferentialAction.Restrict);
                    table.ForeignKey(
                        name: "fk_upgrades_rollouts_rollout_id",
                        column: x => x.rollout_id,
                        principalTable: "rollouts",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "upgrade_steps",
                columns: table => new
                {
                    upgrade_id = table.Column<Guid>(type: "uuid", nullable: false),
                    step = table.Column<string>(type: "text", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    state = table.Column<string>(type: "text", nullable: false),
                    started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    accepted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    finished_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    duration_ns = table.Column<long>(type: "bigint", nullable: true),
                    clock = table.Column<string>(type: "text", nullable: true),
                    failure = table.Column<string>(type: "text", nullable: false),
                    reason = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_upgrade_steps", x => new { x.upgrade_id, x.step, x.attempt });
                    table.ForeignKey(
                        name: "fk_upgrade_steps_upgrades_upgrade_id",
                        column: x => x.upgrade_id,
                        principalTable: "upgrades",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "step_timings",
                columns: table => new
                {
                    upgrade_id = table.Column<Guid>(type: "uuid", nullable: false),
                    step = table.Column<string>(type: "text", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    position = table.Column<int>(type: "integer", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    clock = table.Column<string>(type: "text", nullable: false),
                    nanoseconds = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_step_timings", x => new { x.upgrade_id, x.step, x.attempt, x.position });
                    table.ForeignKey(
                        name: "fk_step_timings_upgrade_steps_upgrade_id_step_attempt",
                        columns: x => new { x.upgrade_id, x.step, x.attempt },
                        principalTable: "upgrade_steps",
                        principalColumns: new[] { "upgrade_id", "step", "attempt" },
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_host_images_digest",
                table: "host_images",
                column: "digest");

            migrationBuilder.CreateIndex(
                name: "ix_images_name",
                table: "images",
                column: "name");

            migrationBuilder.CreateIndex(
                name: "ix_inbox_received_at",
                table: "inbox",
                column: "received_at");

            migrationBuilder.CreateIndex(
                name: "ux_inbox_handled_once",
                table: "inbox",
                columns: new[] { "upgrade_id", "epoch", "step", "attempt", "word" },
                unique: true,
                filter: "ignored is null");

            migrationBuilder.CreateIndex(
                name: "ix_outbox_message_id",
                table: "outbox",
                column: "message_id",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_outbox_waiting",
                table: "outbox",
                columns: new[] { "upgrade_id", "id" },
                filter: "sent_at is null and expired_at is null");

            migrationBuilder.CreateIndex(
                name: "ix_rollouts_image_digest",
                table: "rollouts",
                column: "image_digest");

            migrationBuilder.CreateIndex(
                name: "ix_rollouts_request_id",
                table: "rollouts",
                column: "request_id",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_upgrades_created_at",
                table: "upgrades",
                column: "created_at");

            migrationBuilder.CreateIndex(
                name: "ix_upgrades_due",
                table: "upgrades",
                column: "deadline_at",
                filter: "finished_at is null");

            migrationBuilder.CreateIndex(
                name: "ix_upgrades_image_digest",
                table: "upgrades",
                column: "image_digest");

            migrationBuilder.CreateIndex(
                name: "ix_upgrades_rollout_id",
                table: "upgrades",
                column: "rollout_id");

            migrationBuilder.CreateIndex(
                name: "ux_upgrades_one_active_per_guest",
                table: "upgrades",
                columns: new[] { "host_name", "guest_name" },
                unique: true,
                filter: "finished_at is null");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "host_images");

            migrationBuilder.DropTable(
                name: "inbox");

            migrationBuilder.DropTable(
                name: "outbox");

            migrationBuilder.DropTable(
                name: "step_timings");

            migrationBuilder.DropTable(
                name: "upgrade_steps");

            migrationBuilder.DropTable(
                name: "upgrades");

            migrationBuilder.DropTable(
                name: "guests");

            migrationBuilder.DropTable(
                name: "rollouts");

            migrationBuilder.DropTable(
                name: "hosts");

            migrationBuilder.DropTable(
                name: "images");
        }
    }
}
