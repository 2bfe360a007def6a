using Npgsql;
using TwinKernel.Fleet.Probe.Exchanges;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Tests;

/// <summary>Against a real PostgreSQL.</summary>
public sealed class PostgresTests(PostgresServer postgres) : IClassFixture<PostgresServer>
{
    private ProbeSettings Writes => Runs.Settings($"postgres://{postgres.Address}") with { Writes = true, VerifyWrites = true };

    [Fact]
    public async Task It_is_asked_and_answers()
    {
        Seen seen = await Runs.RunAsync(Runs.Settings($"postgresql://{postgres.Address}"));
        (seen.Report.Total.Answered, seen.Report.Writes).ShouldBe((1000, null));
    }

    [Fact]
    public async Task Writes_that_are_there_are_not_lost_and_their_table_goes()
    {
        Seen seen = await Runs.RunAsync(Writes);
        WritesReport writes = seen.Report.Writes.ShouldNotBeNull();
        (writes.Acknowledged, writes.Verified, writes.Lost, writes.Problem).ShouldBe((1000, true, 0, null));
        Ask($"SELECT count(*) FROM pg_tables WHERE tablename = '{writes.KeyPrefix}'").ShouldBe(0L);
    }

    [Fact]
    public async Task Writes_that_are_gone_or_changed_are_lost_and_the_table_stays_as_evidence()
    {
        Seen seen = await Runs.RunAsync(Writes, _ =>
        {
            string table = (string)Ask("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'app'")!;
            Ask($"DELETE FROM app.{table} WHERE key < 5");
            Ask($"UPDATE app.{table} SET value = 0 WHERE key = 5");
        });
        WritesReport writes = seen.Report.Writes.ShouldNotBeNull();
        (writes.Verified, writes.Lost).ShouldBe((true, 6));
        writes.FirstLost.Select(lost => (lost.Number, lost.Found)).ShouldBe([(0, null), (1, null), (2, null), (3, null), (4, null), (5, "0")]);
        Ask($"SELECT count(*) FROM app.\"{writes.KeyPrefix}\"").ShouldBe(writes.Acknowledged - 5);
        Ask($"DROP TABLE app.\"{writes.KeyPrefix}\"");
    }

    [Fact]
    public async Task What_is_under_way_on_a_connection_that_the_server_ends_is_an_error_and_the_next_goes_on_a_new_one()
    {
        Seen seen = await Runs.RunAsync(Writes, _ => Ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"));
        seen.Report.Reconnects.ShouldBeGreaterThanOrEqualTo(3);
        seen.Report.Total.Answered.ShouldBeGreaterThan(900);
        seen.Report.Writes.ShouldNotBeNull().Lost.ShouldBe(0);
        seen.Rows.MaxBy(row => row.Number)!.Outcome.ShouldBe(Outcome.Answered);
    }

    [Fact]
    public async Task Commits_that_are_held_are_a_gap()
    {
        Seen seen = await Runs.RunAsync(Writes, _ =>
        {
            Ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
            Ask("SELECT pg_reload_conf()");
            Thread.Sleep(300);
            Ask("ALTER SYSTEM RESET synchronous_standby_names");
            Ask("SELECT pg_reload_conf()");
        });
        seen.Report.Total.Answered.ShouldBe(1000);
        seen.Report.Total.LongestGap.ShouldBe(seen.LongestBetweenAnswers, TimeSpan.FromMicroseconds(1));
        seen.Report.Total.LongestGap.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(150));
        seen.Report.Writes.ShouldNotBeNull().Lost.ShouldBe(0);
    }

    [Fact]
    public async Task A_refusal_of_the_server_is_an_error_by_its_SQLSTATE()
    {
        Ask("ALTER ROLE app SET default_transaction_read_only = on");
        try
        {
            (await Should.ThrowAsync<ProbeException>(() => Runs.RunAsync(Writes))).Message.ShouldContain("read-only transaction");
        }
        finally
        {
            Ask("ALTER ROLE app RESET default_transaction_read_only");
        }

        Seen seen = await Runs.RunAsync(Runs.Settings($"postgres://{postgres.Address}x"));
        seen.Report.Total.Errors.Keys.ShouldContain(PostgresErrorCodes.InvalidCatalogName);
        seen = await Runs.RunAsync(Runs.Settings($"postgres://fleet@{postgres.Address[4..]}"));
        seen.Report.Total.Errors.Keys.ShouldContain(PostgresDialogue.PasswordWanted);
    }

    private object? Ask(string statement) => postgres.Ask(statement);
}
