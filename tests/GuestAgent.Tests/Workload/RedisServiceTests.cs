using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent.Tests.Workload;

/// <summary>What is said to Redis and in which order, to a server that answers as Redis does; the end-to-end tests have the real one.</summary>
public sealed class RedisServiceTests : IDisposable
{
    private const string Master = "*3\r\n$6\r\nmaster\r\n:42\r\n*0\r\n";
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<string> _said = [];
    private readonly RedisService _redis;
    private Func<string, string> _answer = command => command == "ROLE" ? Master : "+OK\r\n";

    public RedisServiceTests()
    {
        _listener.Start();
        _redis = new RedisService(new ServiceDefinition { Name = "redis", Port = ((IPEndPoint)_listener.LocalEndpoint).Port });
        new Thread(Serve) { IsBackground = true }.Start();
    }

    [Fact]
    public void Writes_are_held_before_it_is_asked_how_far_they_are()
    {
        _redis.Hold().ShouldBe(42);
        _said.ShouldBe(["CLIENT PAUSE 86400000 WRITE", "ROLE"]);
    }

    [Fact]
    public void What_holds_them_is_connected_ahead_and_has_been_rehearsed_without_an_effect()
    {
        using IWriteHold hold = _redis.PrepareHold();
        _said.ShouldBe(["CLIENT PAUSE 0 WRITE", "ROLE"]);
        _said.Clear();
        hold.Hold().ShouldBe(42);
        _said.ShouldBe(["CLIENT PAUSE 86400000 WRITE", "ROLE"]);
    }

    [Fact]
    public void A_connection_that_broke_meanwhile_is_no_reason_not_to_hold_them()
    {
        CopyWatch watch = new(NullLogger<CopyWatch>.Instance);
        using IWriteHold hold = _redis.PrepareHold();
        _answer = command => command == "ROLE" && _said.Count < 5 ? "" : command == "ROLE" ? Master : "+OK\r\n";
        watch.Hold(_redis, hold).ShouldBe(42);
        _said.ShouldBe(["CLIENT PAUSE 0 WRITE", "ROLE", "CLIENT PAUSE 86400000 WRITE", "ROLE", "CLIENT PAUSE 86400000 WRITE", "ROLE"]);
    }

    [Fact]
    public void One_that_is_no_master_is_not_handed_over()
    {
        _answer = command => command == "ROLE" ? Slave("connected", 7) : "+OK\r\n";
        Should.Throw<IOException>(() => _redis.Hold()).Message.ShouldContain("not a master");
    }

    [Fact]
    public void Back_in_kernel_A_what_waited_is_dropped_before_writes_go_on()
    {
        _redis.ComeBack();
        _said.ShouldBe(["PING", "PING", "CLIENT KILL TYPE normal SKIPME yes", "CLIENT UNPAUSE"]);
    }

    [Theory]
    [InlineData(true, new[] { "CLIENT PAUSE 86400000 WRITE", "REPLICAOF NO ONE" })]
    [InlineData(false, new[] { "REPLICAOF NO ONE" })]
    public void The_new_master_holds_writes_as_long_as_there_is_a_way_back(bool mayHold, string[] said)
    {
        using IPromotion promotion = _redis.Prepare();
        promotion.Promote(mayHold);
        _said.ShouldBe(said);
    }

    [Fact]
    public void A_copy_is_told_whom_to_follow_once_and_then_asked_how_it_is()
    {
        _redis.Follow("10.0.2.15").ShouldBe("it was a master");
        string port = _said[^1].Split(' ')[^1];
        _answer = _ => Slave("sync", 0);
        _redis.Follow("10.0.2.15").ShouldBe("its replication is in state 'sync'");
        _answer = _ => Slave("connected", 7);
        _redis.Follow("10.0.2.15").ShouldBeNull();
        _said.ShouldBe(["ROLE", $"REPLICAOF 10.0.2.15 {port}", "ROLE", "ROLE"]);
    }

    [Fact]
    public void A_copy_has_caught_up_when_it_is_as_far_as_it_should_be()
    {
        long offset = 40;
        _answer = _ => Slave("connected", offset++);
        using IPromotion promotion = _redis.Prepare();
        promotion.CatchUp(43);
        offset.ShouldBe(44);
        _answer = _ => Slave("connected", 1);
        Should.Throw<IOException>(() => promotion.CatchUp(9)).Message.ShouldBe("redis is 8 bytes behind kernel A's after 2 s.");
        _answer = _ => Master;
        Should.Throw<IOException>(() => promotion.CatchUp(9)).Message.ShouldContain("no replica");
    }

    [Theory]
    [InlineData("-ERR no\r\n", "Redis refuses: ERR no")]
    [InlineData("hello\r\n", "'hello', which is no reply")]
    [InlineData("$99999999999\r\n", "99999999999 bytes")]
    [InlineData("", "closed")]
    public void An_answer_that_is_none_is_an_error(string answer, string message)
    {
        _answer = _ => answer;
        Should.Throw<IOException>(_redis.LetGo).Message.ShouldContain(message);
    }

    public void Dispose() => _listener.Dispose();

    private static string Slave(string state, long offset) => $"*5\r\n$5\r\nslave\r\n$9\r\n10.0.2.15\r\n:6379\r\n${state.Length}\r\n{state}\r\n:{offset}\r\n";

    private void Serve()
    {
        try
        {
            while (true)
            {
                using TcpClient client = _listener.AcceptTcpClient();
                using StreamReader reader = new(client.GetStream(), Encoding.ASCII);
                while (reader.ReadLine() is ['*', .. var count])
                {
                    string command = string.Join(' ', Enumerable.Range(0, int.Parse(count, null)).Select(_ => reader.ReadLine() is null ? "" : reader.ReadLine()));
                    _said.Add(command);
                    string answer = _answer(command);
                    if (answer.Length == 0)
                    {
                        break;
                    }

                    client.GetStream().Write(Encoding.ASCII.GetBytes(answer));
                }
            }
        }
        catch (Exception error) when (error is SocketException or IOException or InvalidOperationException)
        {
            // The test is over, and the listener disposed of: before or while it is asked.
        }
    }
}
