using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TwinKernel.Fleet.GuestAgent.Probation;
using TwinKernel.Fleet.GuestAgent.Workload;
using TwinKernel.Fleet.Probe.Tests;

namespace TwinKernel.Fleet.GuestAgent.Tests.Probation;

/// <summary>Two real Redis: B is the copy that became a master, A the one that stood still. What B acknowledged must be in A.</summary>
public sealed class JournalledRedisTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly RedisServer _a = RedisServer.Start();
    private readonly RedisServer _b = RedisServer.Start();
    private readonly MappedJournal _memory = new();
    private readonly RedisService _serviceA;
    private readonly RedisService _serviceB;
    private JournalledRedis? _ahead;

    /// <summary>Up to the park and the promotion, as in an upgrade.</summary>
    public JournalledRedisTests()
    {
        _serviceA = new RedisService(new ServiceDefinition { Name = "redis", Port = _a.Port });
        _serviceB = new RedisService(new ServiceDefinition { Name = "redis", Port = _b.Port });
        _a.Ask("CONFIG", "SET", "repl-diskless-sync-delay", "0");
        _a.Ask("SET", "before", "the park");
        _a.Ask("SET", "counter", "5");
        _b.Ask("REPLICAOF", "127.0.0.1", _a.Port.ToString(CultureInfo.InvariantCulture));
        Eventually(() => _serviceB.Follow("127.0.0.1") is null);
        Promote(_serviceA.Hold());
    }

    /// <summary>B, which follows A, becomes the master at an offset.</summary>
    private void Promote(long offset)
    {
        _ahead?.Dispose();
        _ahead = new JournalledRedis(_serviceB, _memory.Journal);
        _memory.Journal.LayOut(Guid.NewGuid(), offset);
        using IPromotion promotion = _serviceB.Prepare();
        promotion.CatchUp(offset);
        promotion.Promote(mayHold: true);
    }

    [Fact]
    public void Everything_that_it_executes_is_in_the_journal_and_executed_again()
    {
        using (JournalledRedis followed = Follow())
        {
            followed.LetGo();
            Work();
            _memory.Journal.End.ShouldBe(_memory.Journal.Start);
            followed.CatchUp();
        }

        _b.Kill();
        int commands = Replay();

        commands.ShouldBeGreaterThan(200);
        ShouldHaveWorked();
        _b.StartAgain();
    }

    /// <summary>An agent that was started again, or a link that broke: no byte twice, none left out.</summary>
    [Fact]
    public void One_that_follows_anew_goes_on_where_the_journal_ends()
    {
        using (JournalledRedis first = Follow())
        {
            first.LetGo();
            _b.Ask("INCR", "counter");
            first.CatchUp();
            _b.Ask("INCR", "counter");
        }

        _b.Ask("INCR", "counter");
        using (JournalledRedis second = new(_serviceB, _memory.Again()))
        {
            second.Begin();
            second.Hold();
        }

        Replay();
        _a.Ask("GET", "counter").ShouldBe(["8"]);
    }

    [Fact]
    public void One_that_has_lost_what_follows_is_refused()
    {
        _b.Kill();
        _b.StartAgain();
        Should.Throw<IOException>(Follow);
        Should.Throw<IOException>(Follow).Message.ShouldContain("cannot go on from offset");
    }

    [Fact]
    public void An_end_that_is_missing_is_left_out_and_what_is_before_it_executed()
    {
        const string whole = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\n1\r\n34\r\n";
        const string transaction = "*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*1\r\n$4\r\nEXEC\r\n";
        byte[] stream = Encoding.ASCII.GetBytes(whole + transaction);
        for (int length = 1; length <= stream.Length; length++)
        {
            _memory.Journal.LayOut(Guid.NewGuid(), 0);
            _memory.Journal.Append(stream.AsSpan(0, length));
            int commands = Replay();
            using RespClient redis = _serviceA.Connect();
            redis.Ask("SELECT", "3");
            (commands, redis.Ask("GET", "k").Text, redis.Ask("GET", "n").Text).ShouldBe(
                length < whole.Length ? (0, null, null) : length < stream.Length ? (1, "1\r\n34", null) : (3, "1\r\n34", "2"),
                $"{length} of {stream.Length} bytes");
            redis.Ask("FLUSHALL");
        }
    }

    [Fact]
    public void What_is_refused_is_told_and_the_rest_executed()
    {
        _memory.Journal.Append("*2\r\n$4\r\nINCR\r\n$6\r\nbefore\r\n*3\r\n$3\r\nSET\r\n$5\r\nafter\r\n$1\r\n1\r\n"u8);
        JournalReplay.Run(_serviceA, _memory.Again()).Problem.ShouldBe("1 of 2 commands of the journal were refused");
        _a.Ask("GET", "after").ShouldBe(["1"]);

        _memory.Journal.LayOut(Guid.NewGuid(), 0);
        _memory.Journal.Append("*2\r\n$4\r\nINCR\r\n$7\r\ncounter\r\n+OK\r\n"u8);
        JournalReplay.Run(_serviceA, _memory.Again()).Problem!.ShouldContain("'+OK' where '*' and a number belong");
        _a.Ask("GET", "counter").ShouldBe(["6"]);
    }

    /// <summary>An agent that is killed anywhere in it: the next executes the rest, and nothing twice.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(120)]
    [InlineData(int.MaxValue)]
    public void A_replay_that_was_broken_off_is_ended_by_the_next(int sent)
    {
        using (JournalledRedis followed = Follow())
        {
            followed.LetGo();
            for (int i = 0; i < 3; i++)
            {
                _b.Ask("INCR", "counter");
                _b.Ask("EVAL", "redis.call('INCR', 'counter') return redis.call('INCR', 'counter')", "0");
            }

            followed.CatchUp();
        }

        ReplayAndDie(sent);

        Replay();
        _a.Ask("GET", "counter").ShouldBe(["14"]);
        _memory.Journal.IsLaidOut.ShouldBeFalse();

        // Ended, but the agent was killed before it could say so.
        _memory.Journal.LayOut(Guid.NewGuid(), 0);
        _memory.Journal.Append("*2\r\n$4\r\nINCR\r\n$7\r\ncounter\r\n"u8);
        _memory.Journal.ReplayedFrom = WriteJournal.Replayed;
        Replay();
        _a.Ask("INCR", "counter").ShouldBe(["15"]);
    }

    /// <summary>Its key was there when kernel B executed the command; by kernel A's clock it is not any more.</summary>
    [Fact]
    public void A_key_that_kernel_B_kept_does_not_expire_before_the_replay_has_come_to_it()
    {
        _serviceA.LetGo();
        _serviceB.LetGo();
        _b.Ask("REPLICAOF", "127.0.0.1", _a.Port.ToString(CultureInfo.InvariantCulture));
        Eventually(() => _serviceB.Follow("127.0.0.1") is null);
        _a.Ask("SET", "kept", "1", "PX", "3000");
        _a.Ask("SET", "gone", "1", "PX", "3000");
        Promote(_serviceA.Hold());
        using (JournalledRedis followed = Follow())
        {
            followed.LetGo();
            _b.Ask("INCR", "kept").ShouldBe(["2"]);
            _b.Ask("PERSIST", "kept").ShouldBe(["1"]);
            _b.Ask("INCR", "gone").ShouldBe(["2"]);
            followed.CatchUp();
        }

        _b.Kill();
        Eventually(() => _a.Ask("PTTL", "kept")[0] is "0" or "-2");
        Replay();
        _a.Ask("GET", "kept").ShouldBe(["2"]);
        Eventually(() => _a.Ask("EXISTS", "gone")[0] == "0");
        _b.StartAgain();
    }

    /// <summary>The whole of it but for the packets, which need a kernel that can hold them.</summary>
    [Fact]
    public async Task Writes_go_on_while_it_journals_and_wait_when_that_is_full()
    {
        _memory.Journal.IsNearlyFull.ShouldBeFalse();
        using JournalledProbation probation = new(() => [Connect()], [], NullLogger.Instance);
        probation.Begin();
        _b.Ask("SET", "let", "go").ShouldBe(["OK"]); // Waits for it.
        Eventually(() => _memory.Journal.End > _memory.Journal.Start + "let".Length);

        // A link that breaks is made anew.
        long end = _memory.Journal.End;
        _b.Ask("CLIENT", "KILL", "TYPE", "replica");
        _b.Ask("SET", "again", "true").ShouldBe(["OK"]);
        Eventually(() => _memory.Journal.End > end);

        // Seven eighths of a MiB later writes wait; reads do not. An answer is one when it is journalled.
        string value = new('x', 10_000);
        bool committed = false;
        Task writing = Task.Run(() => Enumerable.Range(0, 200).ToList().ForEach(Write), TestContext.Current.CancellationToken);
        Eventually(() => _memory.Journal.IsNearlyFull);
        await Should.ThrowAsync<TimeoutException>(writing.WaitAsync(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken));
        _b.Ask("GET", "let").ShouldBe(["go"]);
        long executed = _serviceB.Hold();
        _memory.Journal.End.ShouldBeGreaterThanOrEqualTo(executed - 100); // But for a PING.

        probation.End();
        committed = true;
        _serviceB.LetGo();
        await writing.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Replay();
        _a.Ask("GET", "again").ShouldBe(["true"]);
        _a.Ask("GET", "k10").ShouldBe([value]);
        _a.Ask("EXISTS", "k199").ShouldBe(["0"]);

        void Write(int key)
        {
            long before = _memory.Journal.End;
            _b.Ask("SET", $"k{key}", value);
            Eventually(() => _memory.Journal.End >= before + value.Length || committed);
        }
    }

    public void Dispose()
    {
        _ahead?.Dispose();
        _a.Dispose();
        _b.Dispose();
        _memory.Dispose();
    }

    /// <summary>As the product does: first what was connected while it was a copy.</summary>
    private JournalledRedis Connect() => Interlocked.Exchange(ref _ahead, null) ?? new JournalledRedis(_serviceB, _memory.Journal);

    private JournalledRedis Follow()
    {
        JournalledRedis followed = Connect();
        try
        {
            followed.Begin();
            followed.Begin(); // In front of the park and behind it.
            return followed;
        }
        catch
        {
            followed.Dispose();
            throw;
        }
    }

    private int Replay()
    {
        JournalReplay.Outcome outcome = JournalReplay.Run(_serviceA, _memory.Again());
        outcome.Problem.ShouldBeNull();
        _serviceA.ComeBack();
        return outcome.Commands;
    }

    /// <summary>As an agent does that is killed when so many bytes of the journal have left it.</summary>
    private void ReplayAndDie(int bytes)
    {
        byte[] stream = _memory.Again().Contents(out _);
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        _a.Ask("REPLICAOF", "127.0.0.1", ((IPEndPoint)listener.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture));
        using RespClient replica = new(listener.Accept(), Patience);
        _memory.Journal.ReplayedFrom = JournalReplay.Greet(replica) - 1;
        _a.Ask("CLIENT", "UNPAUSE");
        replica.Send("+CONTINUE\r\n"u8);
        replica.Send(stream.AsSpan(0, Math.Min(bytes, stream.Length)));
        using RespClient control = _serviceA.Connect();
        Eventually(() => control.Ask("INFO", "replication").Text!.Contains("master_link_status:up", StringComparison.Ordinal));
    }

    private void Work()
    {
        using RespClient redis = _serviceB.Connect();
        for (int i = 0; i < 100; i++)
        {
            redis.Ask("SET", $"key:{i}", $"line\r\n*1\r\n$4\r\nPING\r\n{i}");
            redis.Ask("INCR", "counter");
        }

        redis.Ask("SELECT", "2");
        redis.Ask("MULTI");
        redis.Ask("LPUSH", "list", "a", "b", "");
        redis.Ask("SET", "soon gone", "yes", "PX", "1");
        redis.Ask("EXEC");
        redis.Ask("SET", "long", new string('z', 300_000), "EX", "1000");
        redis.Ask("EVAL", "redis.call('SET', 'by script', ARGV[1]) redis.call('DEL', 'nothing') return redis.call('SADD', 'set', 1, 2, 3)", "0", "v");
        redis.Ask("XADD", "stream", "*", "f", "v");
        redis.Ask("SELECT", "0");
        redis.Ask("DEL", "before");
    }

    private void ShouldHaveWorked()
    {
        using RespClient redis = _serviceA.Connect();
        redis.Ask("GET", "counter").Text.ShouldBe("105");
        redis.Ask("GET", "key:99").Text.ShouldBe("line\r\n*1\r\n$4\r\nPING\r\n99");
        redis.Ask("EXISTS", "before").Number.ShouldBe(0);
        redis.Ask("DBSIZE").Number.ShouldBe(101);
        redis.Ask("SELECT", "2");
        redis.Ask("LRANGE", "list", "0", "-1").Items.Select(item => item.Text).ShouldBe(["", "b", "a"]);
        redis.Ask("TTL", "long").Number.ShouldBeInRange(900, 1000);
        redis.Ask("STRLEN", "long").Number.ShouldBe(300_000);
        redis.Ask("SCARD", "set").Number.ShouldBe(3);
        redis.Ask("GET", "by script").Text.ShouldBe("v");
        redis.Ask("XLEN", "stream").Number.ShouldBe(1);
        redis.Ask("EXISTS", "soon gone").Number.ShouldBe(0);
    }

    private static void Eventually(Func<bool> condition)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Stopwatch.GetElapsedTime(started).ShouldBeLessThan(Patience);
            Thread.Sleep(10);
        }
    }
}
