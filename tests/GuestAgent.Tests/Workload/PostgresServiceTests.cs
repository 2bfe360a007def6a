using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent.Tests.Workload;

/// <summary>Against two real servers, one in the place of each kernel's.</summary>
public sealed class PostgresServiceTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AWhile = TimeSpan.FromMilliseconds(300);
    private readonly List<GuestPostgres> _servers = [];
    private GuestPostgres _a = null!;
    private GuestPostgres _b = null!;

    [Fact]
    public async Task A_copy_is_let_in_by_its_password_and_promoted_with_all_that_was_acknowledged()
    {
        CopyInvitation invitation = Pair();
        Task writing;
        using (IPromotion promotion = _b.Service.Prepare())
        using (ICoupling coupling = _a.Service.Couple())
        {
            _a.Ask("insert into t values (1)");
            promotion.CatchUp(coupling.Hold());
            _b.Ask("select count(*) from t").ShouldBe(1L);
            promotion.Promote(mayHold: true);
            promotion.Promote(mayHold: true); // An agent that was started again does not know that it is done.
            writing = _b.AskAsync("insert into t values (2)");
            Should.Throw<TimeoutException>(async () => await writing.WaitAsync(AWhile));
            _b.Ask("select count(*) from t").ShouldBe(1L, "it was seen though it may be lost");
        }

        _b.Service.LetGo();
        await writing.WaitAsync(Soon);
        _b.Service.LetGo();
        _b.Ask("select count(*) from t").ShouldBe(2L);

        _a.Kill();
        File.Exists(_b.PasswordFile).ShouldBeFalse();
        (_a.Log + _b.Log).ShouldNotContain(invitation.Password);
        _b.Service.PrepareHold().ShouldBeNull();
        Follow(_b, New());
        using ICoupling next = _b.Service.Couple();
        _b.Ask("insert into t values (3)");
        (long written, long copied) = next.Progress();
        copied.ShouldBeLessThanOrEqualTo(written);
        _servers[^1].Ask("select count(*) from t").ShouldBe(3L);
    }

    [Theory]
    [InlineData(ServiceDefinition.HoldWrites, false)]
    [InlineData(ServiceDefinition.ServeWrites, true)]
    public void Writes_do_not_wait_where_there_is_no_way_back_or_the_guest_does_not_want_it(string probation, bool mayHold)
    {
        Pair(probation);
        using IPromotion promotion = _b.Service.Prepare();
        promotion.Promote(mayHold);
        _b.Ask("insert into t values (1)");
    }

    [Fact]
    public async Task Writes_wait_for_a_copy_that_is_gone_until_the_watch_has_seen_it_and_then_it_is_not_handed_over()
    {
        Pair();
        CopyWatch watch = new(NullLogger<CopyWatch>.Instance);
        watch.Begin([(_a.Service, _a.Service.Couple())]);
        _a.Ask("insert into t values (1)");
        CatchUp(_b, watch.Hold(_a.Service, prepared: null));
        watch.Begin([(_a.Service, _a.Service.Couple())]);
        _b.Kill();
        Task writing = _a.AskAsync("insert into t values (2)");
        Should.Throw<TimeoutException>(async () => await writing.WaitAsync(AWhile));
        await writing.WaitAsync(Soon);
        Should.Throw<IOException>(() => _a.Service.Hold()).Message.ShouldContain("does not follow");

        _b.Start();
        GuestPostgres.Eventually(() => _b.Service.Follow("127.0.0.1").ShouldBeNull());
        CatchUp(_b, _a.Service.Hold());
        _a.Ask("insert into t values (3)");
        _b.Kill();
        writing = _a.AskAsync("insert into t values (4)");
        watch.Release([_a.Service], "the agent before has ended");
        await writing.WaitAsync(Soon);
        watch.End();
    }

    [Fact]
    public async Task Back_in_kernel_A_what_waited_is_dropped_before_writes_go_on()
    {
        Pair();
        _a.Service.Couple().Dispose();
        _b.Kill();
        Task writing = _a.AskAsync("insert into t values (1)");
        Should.Throw<TimeoutException>(async () => await writing.WaitAsync(AWhile));
        _a.Service.ComeBack();
        await Should.ThrowAsync<NpgsqlException>(writing.WaitAsync(Soon));
        _a.Ask("insert into t values (2)");
    }

    [Fact]
    public void In_a_copy_each_database_has_been_visited_before_its_clients_come()
    {
        Pair();
        _a.AskAsAgent("create database \"else/where\"");
        const string visited = """select count(*) from pg_database d, pg_ls_dir('base/' || d.oid) file where datname in ('postgres', 'else/where') and file = 'pg_internal.init'""";
        Follow(_a, New());
        _servers[^1].AskAsAgent(visited).ShouldBe([2L]);
    }

    [Fact]
    public void What_is_no_copy_or_has_no_invitation_or_is_not_there_says_so()
    {
        _a = New();
        Should.Throw<IOException>(_a.Service.LetGo).Message.ShouldStartWith("db does not answer: ");
        Should.Throw<IOException>(() => _a.Service.Join("127.0.0.1", null)).Message.ShouldContain("no password");
        _a.Start();
        _a.Service.Follow("127.0.0.1").ShouldNotBeNull().ShouldContain("no copy");
        Should.Throw<IOException>(() => CatchUp(_a, 1)).Message.ShouldContain("db has received");
        Should.Throw<IOException>(() => _a.Service.Couple()).Message.ShouldContain("does not follow");
    }

    public void Dispose() => _servers.ForEach(server => server.Dispose());

    private GuestPostgres New(string probation = ServiceDefinition.HoldWrites)
    {
        _servers.Add(new GuestPostgres(probation));
        return _servers[^1];
    }

    private static void CatchUp(GuestPostgres copy, long offset)
    {
        using IPromotion promotion = copy.Service.Prepare();
        promotion.CatchUp(offset);
    }

    private CopyInvitation Pair(string probation = ServiceDefinition.HoldWrites)
    {
        (_a, _b) = (New(), New(probation));
        _a.Start();
        _a.Ask("create table t (key bigint)");
        return Follow(_a, _b);
    }

    /// <summary>Starts the copy, and waits until it follows.</summary>
    private static CopyInvitation Follow(GuestPostgres from, GuestPostgres copy)
    {
        CopyInvitation invitation = from.Service.Invite();
        copy.Service.Join("127.0.0.1", invitation);
        File.GetUnixFileMode(copy.PasswordFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        copy.PointTo(from);
        copy.Start();
        GuestPostgres.Eventually(() => copy.Service.Follow("127.0.0.1").ShouldBeNull());
        return invitation;
    }
}
