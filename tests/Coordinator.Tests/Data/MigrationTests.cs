using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Migrations;

namespace TwinKernel.Fleet.Coordinator.Tests.Data;

public sealed class MigrationTests(ServersFixture servers)
{
    private static async Task<(int Code, string Output, string Error)> RunAsync(string? connection, params string[] args)
    {
        StringWriter output = new();
        StringWriter error = new();
        int code = await MigrateCommand.RunAsync(args, _ => connection, output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }

    [Fact]
    public async Task From_empty_and_again_and_listed()
    {
        string database = await servers.CreateDatabaseAsync();
        (await RunAsync(database, "--list")).Output.ShouldContain($"pending  {FleetSchema.Required}");
        (int code, string output, _) = await RunAsync(database);
        code.ShouldBe(MigrateCommand.Done);
        output.ShouldContain($"Applying {FleetSchema.Required}");
        (await RunAsync(database)).Output.ShouldBe($"Up to date: {FleetSchema.Required}{Environment.NewLine}");
        (await RunAsync(database, "--list")).Output.ShouldNotContain("pending");
    }

    [Fact]
    public async Task From_the_schema_before_rollouts_what_is_in_it_stays_and_an_image_that_was_reached_is_proven()
    {
        string database = await servers.CreateDatabaseAsync();
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database);
        await using FleetDbContext db = FleetDbContextFactory.Create(source);
        await db.Database.MigrateAsync("20261121081500_PanicPolicy");
        await using (NpgsqlCommand rows = source.CreateCommand(
            """
            insert into hosts values ('h1', gen_random_uuid(), now(), 1, '5 s', now(), '1.0', 'tcg');
            insert into images values ('sha256:aa', 'a', '6.1', 1, now()), ('sha256:bb', 'b', '6.12', 1, now());
            insert into guests (host_name, name, state, image_digest, service_address, epoch, has_parent, cpus_online, cpus_present,
              memory_bytes, machine_memory_bytes, machine_memory_owned_bytes)
            values ('h1', 'web', 'Running', 'sha256:bb', '', 2, false, 2, 2, 1, 1, 1);
            insert into rollouts (id, kind, request_id, host_name, image_digest, requested_image, created_at)
            values ('00000000-0000-0000-0000-000000000001', 'Canary', gen_random_uuid(), 'h1', 'sha256:bb', 'b', now());
            insert into upgrades (id, rollout_id, host_name, guest_name, image_digest, image_name, epoch, state, phase, attempt,
              created_at, changed_at, finished_at, failure)
            values (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'h1', 'web', 'sha256:bb', 'b', 1, 'Completed', 'None', 0,
              '2026-11-20', '2026-11-20', '2026-11-20', 'None');
            """))
        {
            await rows.ExecuteNonQueryAsync();
        }

        (await RunAsync(database)).Code.ShouldBe(MigrateCommand.Done);
        Dictionary<string, ImageState> images = await db.Images.ToDictionaryAsync(image => image.Name, image => image.State);
        (images["a"], images["b"]).ShouldBe((ImageState.Verified, ImageState.Proven));
        (await db.Hosts.SingleAsync()).Labels.ShouldBeEmpty();
        (await db.Guests.SingleAsync()).Epoch.ShouldBe(2);
        (await db.Upgrades.SingleAsync()).State.ShouldBe(Coordinator.Upgrades.UpgradeState.Completed);
        (await db.Rollouts.SingleAsync()).HostName.ShouldBe("h1");
        (await db.FleetControl.SingleAsync()).StoppedAt.ShouldBeNull();
    }

    [Fact]
    public async Task From_the_schema_before_schedules_what_is_in_it_stays_and_schedules_can_be_written_and_the_way_back_drops_only_them()
    {
        string database = await servers.CreateDatabaseAsync();
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database);
        await using FleetDbContext db = FleetDbContextFactory.Create(source);
        await db.Database.MigrateAsync("20261121112000_FleetRollouts");
        await RunSqlAsync(
            """
            insert into images (digest, name, kernel_release, bytes, first_seen) values ('sha256:bb', 'b', '6.12', 1, now());
            insert into rollouts (id, kind, request_id, image_digest, requested_image, strategy, require_signature, on_panic, created_at,
              name, definition, plan_hash, created_by, state, wave, waves)
            values ('00000000-0000-0000-0000-000000000001', 'Waves', gen_random_uuid(), 'sha256:bb', 'b', 'Twin', false, 'Reset', now(),
              'june', '{"name": "june"}', 'sha256:aa', 'ann', 'Completed', 1, 1);
            insert into audit (at, actor, act, subject, detail) values (now(), 'ann', 'create', 'june', '');
            """);

        (await RunAsync(database)).Code.ShouldBe(MigrateCommand.Done);
        (await db.Rollouts.SingleAsync()).Name.ShouldBe("june");
        (await db.Audit.SingleAsync()).Actor.ShouldBe("ann");
        (await db.Schedules.CountAsync()).ShouldBe(0);
        await RunSqlAsync(
            """
            insert into schedules values ('00000000-0000-0000-0000-000000000002', 'monthly', 'daily', '02:00', 'UTC', '{}', true, 'Skip', '1h', true, now(), now(), 'ann', now());
            insert into schedule_firings values ('00000000-0000-0000-0000-000000000002', '2026-11-20', now(), 'Made', 'june', null);
            """);
        (await Should.ThrowAsync<PostgresException>(() => RunSqlAsync("insert into schedule_firings select * from schedule_firings")))
            .SqlState.ShouldBe(PostgresErrorCodes.UniqueViolation);
        (await db.Schedules.SingleAsync()).Missed.ShouldBe(Coordinator.Schedules.MissedFiringPolicy.Skip);

        await db.Database.MigrateAsync("20261121112000_FleetRollouts");
        (await db.Rollouts.AsNoTracking().SingleAsync()).Name.ShouldBe("june");
        (await RunAsync(database)).Code.ShouldBe(MigrateCommand.Done);
        (await db.Schedules.CountAsync()).ShouldBe(0);

        async Task RunSqlAsync(string sql)
        {
            await using NpgsqlCommand command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
    }

    [Fact]
    public async Task Runs_at_once_apply_everything_once()
    {
        string database = await servers.CreateDatabaseAsync();
        (int Code, string Output, string Error)[] runs = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => RunAsync(database)));
        runs.ShouldAllBe(run => run.Code == MigrateCommand.Done);
        runs.Count(run => run.Output.Contains("Applying")).ShouldBe(1);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database);
        await using NpgsqlCommand count = source.CreateCommand($"select count(*) from {FleetSchema.HistoryTable}");
        await using FleetDbContext db = FleetDbContextFactory.Create(source);
        (await count.ExecuteScalarAsync()).ShouldBe((long)db.Database.GetMigrations().Count());
    }

    [Fact]
    public async Task The_model_has_no_change_without_a_migration_and_the_coordinator_needs_the_newest()
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(servers.PostgresConnectionString);
        await using FleetDbContext db = FleetDbContextFactory.Create(source);
        db.Database.HasPendingModelChanges().ShouldBeFalse();
        db.Database.GetMigrations().Last().ShouldBe(FleetSchema.Required);
    }

    [Fact]
    public async Task What_cannot_work_is_said_clearly_and_without_secrets()
    {
        (int code, _, string error) = await RunAsync("Host=127.0.0.1;Port=1;Database=fleet;Username=u;Password=hunter2");
        code.ShouldBe(MigrateCommand.DatabaseFailed);
        error.ShouldContain("127.0.0.1:1 is not reachable");
        error.ShouldNotContain("hunter2");
        (code, _, error) = await RunAsync("Host=a;Password=hunter2;Nonsense");
        code.ShouldBe(MigrateCommand.Misconfigured);
        error.ShouldNotContain("hunter2");
        (await RunAsync(null)).Code.ShouldBe(MigrateCommand.Misconfigured);
        (await RunAsync("", "--wrong")).Error.ShouldContain("--wrong");
        string missing = new NpgsqlConnectionStringBuilder(servers.PostgresConnectionString) { Database = "nowhere" }.ConnectionString;
        (await RunAsync(missing)).Error.ShouldContain("Database nowhere does not exist");
    }

    [Fact]
    public async Task A_coordinator_refuses_an_empty_and_an_outdated_database_and_takes_a_newer_one()
    {
        string database = await servers.CreateDatabaseAsync();
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database);
        FleetSchema schema = new(source, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<FleetSchema>.Instance);
        (await Should.ThrowAsync<FleetSchemaException>(() => schema.RequireAsync(CancellationToken.None)))
            .Message.ShouldContain("The database is empty");

        await FleetUnderTest.Migrate(database);
        await schema.RequireAsync(CancellationToken.None);
        await Run($"insert into {FleetSchema.HistoryTable} values ('29990101000000_Later', '10')");
        await schema.RequireAsync(CancellationToken.None);

        await Run($"delete from {FleetSchema.HistoryTable} where \"MigrationId\" >= '{FleetSchema.Required}'");
        (await Should.ThrowAsync<FleetSchemaException>(() => schema.RequireAsync(CancellationToken.None)))
            .Message.ShouldContain($"this coordinator needs {FleetSchema.Required}");

        // The program itself ends with the exit code for it, before it listens or takes a message.
        string[] args = [$"--ConnectionStrings:Fleet={database}", "--Broker:Uri=amqp://u:p@127.0.0.1:1/", "--urls=http://127.0.0.1:0"];
        (await Program.Main(args)).ShouldBe(3);

        async Task Run(string sql)
        {
            await using NpgsqlCommand command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
    }

    [Theory]
    [InlineData("--ConnectionStrings:Fleet=")]
    [InlineData("--ConnectionStrings:Fleet=Nonsense")]
    [InlineData("--ConnectionStrings:Fleet=Host=127.0.0.1", "--Broker:Uri=http://x")]
    [InlineData("--ConnectionStrings:Fleet=Host=127.0.0.1", "--Broker:Uri=")]
    public async Task A_wrong_configuration_ends_the_program_with_its_exit_code(params string[] args) =>
        (await Program.Main(args)).ShouldBe(2);
}
