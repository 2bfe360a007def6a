using System.Net;
using System.Net.Sockets;
using Google.Protobuf;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class FailureTests : IAsyncLifetime
{
    private FakeFleet fleet = null!;

    public async ValueTask InitializeAsync() => fleet = await FakeFleet.StartAsync();

    public ValueTask DisposeAsync() => fleet.DisposeAsync();

    [Theory]
    [InlineData(StatusCode.InvalidArgument, ExitCode.Usage, "--help")]
    [InlineData(StatusCode.NotFound, ExitCode.NotFound, "twinfleet hosts list and twinfleet images list")]
    [InlineData(StatusCode.AlreadyExists, ExitCode.Refused, "twinfleet upgrade list")]
    [InlineData(StatusCode.FailedPrecondition, ExitCode.Refused, "try again")]
    [InlineData(StatusCode.Unauthenticated, ExitCode.Refused, "try again")]
    [InlineData(StatusCode.Unavailable, ExitCode.Unreachable, "--coordinator")]
    [InlineData(StatusCode.Unimplemented, ExitCode.Unreachable, "version")]
    [InlineData(StatusCode.Internal, ExitCode.CoordinatorFailed, "log")]
    [InlineData(StatusCode.Unknown, ExitCode.CoordinatorFailed, "log")]
    [InlineData(StatusCode.DeadlineExceeded, ExitCode.TimedOut, "--timeout")]
    public async Task Every_refusal_has_a_code_a_reason_and_a_next_step(StatusCode code, int expected, string next)
    {
        fleet.Answers.Refusal = new RpcException(new Status(code, "The reason."));
        foreach (var json in (string[][])[[], ["--json"]])
        {
            var outcome = await Cli.RunAsync(fleet, ["upgrade", "start", "--host", "h", "--image", "i", .. json]);
            outcome.Code.ShouldBe(expected);
            outcome.Out.ShouldBe("");
            outcome.Error.ShouldContain("error: ");
            outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1].ShouldStartWith("Next: ");
            outcome.Error.ShouldContain(next);
        }
    }

    [Fact]
    public async Task All_violations_are_shown_at_once()
    {
        var violations = new Violations { Violations_ = { new Violations.Types.Violation { Field = "host", Message = "must not be empty" }, new Violations.Types.Violation { Field = "image", Message = "matches 2 images" } } };
        fleet.Answers.Refusal = new RpcException(new Status(StatusCode.InvalidArgument, "two things"), new Metadata { { "twinkernel-violations-bin", violations.ToByteArray() } });
        var outcome = await Cli.RunAsync(fleet, "upgrade", "start", "--host", "h", "--image", "i");
        outcome.Code.ShouldBe(ExitCode.Usage);
        outcome.Error.ShouldContain("error: host: must not be empty\nerror: image: matches 2 images\nNext: ");
    }

    [Theory]
    [InlineData("hosts list")]
    [InlineData("upgrade start --host h --image i --watch")]
    [InlineData("upgrade watch 11111111 --json")]
    public async Task Nobody_at_the_address_is_said_at_once(string command)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        listener.Stop();
        var outcome = await Cli.RunAsync("http://127.0.0.1:1", false, new RecordedOutput(), CancellationToken.None, [.. command.Split(' '), "--coordinator", address]);
        outcome.Code.ShouldBe(ExitCode.Unreachable);
        outcome.Error.ShouldContain($"{address}/ cannot be reached: Connection refused");
        outcome.Error.ShouldContain("TWINFLEET_COORDINATOR");
        outcome.Error.ShouldNotContain("--request-id");
        outcome.Out.ShouldBe("");
    }

    [Fact]
    public async Task A_start_whose_answer_is_missing_says_how_to_repeat_it()
    {
        fleet.Answers.Silent = true;
        var outcome = await Cli.RunAsync(fleet, "upgrade", "start", "--host", "h", "--image", "i", "--timeout", "1s");
        outcome.Code.ShouldBe(ExitCode.TimedOut);
        outcome.Error.ShouldContain($"--request-id {((StartUpgradeRequest)fleet.Answers.Requests.Single()).RequestId}");
    }

    [Fact]
    public async Task A_call_can_be_interrupted()
    {
        fleet.Answers.Silent = true;
        using var interruption = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        var outcome = await Cli.RunAsync(fleet.Address.ToString(), false, new RecordedOutput(), interruption.Token, "hosts", "list");
        outcome.Code.ShouldBe(ExitCode.Interrupted);
    }

    [Theory]
    [InlineData("", "--help")]
    [InlineData("upgrade", "twinfleet upgrade --help")]
    [InlineData("nonsense", "nonsense")]
    [InlineData("upgrade start --host h", "--image")]
    [InlineData("upgrade start --image i", "twinfleet upgrade start --help")]
    [InlineData("upgrade show", "upgrade show --help")]
    [InlineData("upgrade start --host h --image i --request-id x", "x")]
    [InlineData("hosts list --timeout soon", "--timeout is \"soon\"")]
    [InlineData("hosts list --timeout 0", "20ms, 90s, 5m or 1h")]
    [InlineData("hosts list --timeout -5s", "-5s")]
    [InlineData("hosts list --coordinator localhost:5080", "http://host:port")]
    [InlineData("upgrade list --limit 0", "from 1 to 1000")]
    [InlineData("upgrade list --limit many", "from 1 to 1000")]
    public async Task A_wrong_command_line_is_usage_and_calls_nobody(string command, string text)
    {
        var outcome = await Cli.RunAsync(fleet, command.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        outcome.Code.ShouldBe(ExitCode.Usage);
        outcome.Out.ShouldBe("");
        outcome.Error.ShouldContain(text);
        fleet.Answers.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_wrong_variable_is_named()
    {
        var outcome = await Cli.RunAsync("nowhere", false, new RecordedOutput(), CancellationToken.None, "hosts", "list");
        outcome.Code.ShouldBe(ExitCode.Usage);
        outcome.Error.ShouldContain("TWINFLEET_COORDINATOR is \"nowhere\"");
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("upgrade start --help")]
    [InlineData("-h")]
    public async Task Help_lists_the_exit_codes(string command)
    {
        var outcome = await Cli.RunAsync("nowhere at all", false, new RecordedOutput(), CancellationToken.None, command.Split(' '));
        outcome.Code.ShouldBe(0);
        outcome.Error.ShouldBe("");
        foreach (var (code, meaning) in ExitCode.Table)
        {
            outcome.Lines.ShouldContain(line => line.StartsWith($"  {code} ", StringComparison.Ordinal) && line.EndsWith(meaning, StringComparison.Ordinal));
        }
    }
}
