using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TwinKernel.Fleet.Cli.Probing;
using TwinKernel.Fleet.Contracts.Fleet;
using TwinKernel.Fleet.Probe;
using static TwinKernel.Fleet.Cli.Tests.FakeFleet;

namespace TwinKernel.Fleet.Cli.Tests;

/// <summary>The command; what it measures is tested with <c>src/Probe</c>.</summary>
public sealed class ProbeTests : IAsyncLifetime
{
    private readonly Socket service = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly string directory = Directory.CreateTempSubdirectory("probe-").FullName;
    private FakeFleet fleet = null!;
    private string target = "";

    public async ValueTask InitializeAsync()
    {
        service.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        service.Listen(512);
        target = $"tcp://{service.LocalEndPoint}";
        _ = Task.Run(AcceptAsync);
        fleet = await FakeFleet.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        service.Dispose();
        Directory.Delete(directory, recursive: true);
        await fleet.DisposeAsync();
    }

    [Fact]
    public async Task A_line_each_second_and_a_report_for_people()
    {
        var outcome = await Cli.RunAsync(fleet, "probe", target, "--rate", "100", "--duration", "2500ms");
        outcome.Code.ShouldBe(ExitCode.Done);
        outcome.Error.ShouldBeEmpty();
        outcome.Lines.Count(line => line.Contains("s  before: ", StringComparison.Ordinal)).ShouldBe(2);
        outcome.Lines.ShouldContain(line => line.StartsWith("answered", StringComparison.Ordinal) && line.TrimEnd().EndsWith("250", StringComparison.Ordinal));
        outcome.Lines.ShouldContain(line => line.StartsWith("Probe     sent p99", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Of_many_gaps_the_longest_are_told_in_the_order_of_their_time()
    {
        var outcome = await Cli.RunAsync(fleet, "probe", target, "--rate", "100", "--duration", "200ms", "--json");
        var report = ProbeReport.Parse(outcome.Out) with
        {
            Gaps = [.. Enumerable.Range(1, 12).Select(second => new GapReport
            {
                At = TimeSpan.FromSeconds(second),
                Length = TimeSpan.FromMilliseconds(100 - second),
                Phase = "before",
                OwnLateness = TimeSpan.Zero,
                Open = false,
            }).Reverse()],
            GapsLeftOut = 3,
        };
        var text = new RecordedOutput();
        ProbeText.Print(new Surroundings { Out = text, Error = text, OnTerminal = false, Variable = _ => null }, report);
        var gaps = text.ToString().Split('\n').Where(line => line.StartsWith("Gap", StringComparison.Ordinal)).ToArray();
        gaps.Length.ShouldBe(11);
        gaps[0].ShouldBe("Gap       at 1.000 s (before): 99.0 ms");
        gaps[9].ShouldBe("Gap       at 10.000 s (before): 90.0 ms");
        gaps[10].ShouldStartWith("Gap       and 5 more of ");
    }

    [Fact]
    public async Task Json_is_the_report_and_nothing_else_and_the_record_has_every_request()
    {
        var record = Path.Combine(directory, "record.csv");
        var outcome = await Cli.RunAsync(fleet, "probe", target, "--rate", "100", "--duration", "1s", "--timeout", "500ms", "--gap", "1s", "--json", "--record", record);
        outcome.Code.ShouldBe(ExitCode.Done);
        var report = ProbeReport.Parse(outcome.Lines.ShouldHaveSingleItem());
        (report.Service, report.Total.Sent, report.Total.Answered, report.Writes).ShouldBe((target, 100, 100, null));
        (report.Interval.TotalMilliseconds, report.Timeout.TotalMilliseconds, report.GapThreshold.TotalSeconds).ShouldBe((10, 500, 1));
        File.ReadAllLines(record).Length.ShouldBe(101);
    }

    [Fact]
    public async Task Nobody_there_is_an_exit_code_and_still_a_report()
    {
        service.Dispose();
        var outcome = await Cli.RunAsync(fleet, "probe", target, "--rate", "100", "--duration", "500ms", "--json");
        outcome.Code.ShouldBe(ExitCode.Unreachable);
        ProbeReport.Parse(outcome.Out).Total.Errors["refused"].ShouldBe(50);
    }

    [Fact]
    public async Task Everything_that_is_wrong_is_told_at_once()
    {
        var outcome = await Cli.RunAsync(fleet, "probe", "ftp://x", "--rate", "0", "--duration", "soon", "--timeout", "9y", "--connections", "1.5", "--gap", "0s", "--after", "3s");
        outcome.Code.ShouldBe(ExitCode.Usage);
        foreach (var wrong in new[] { "ftp://x", "--rate", "--duration", "--timeout", "--connections", "--gap", "--after needs --upgrade" })
        {
            outcome.Error.ShouldContain(wrong);
        }

        outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Count(line => line.StartsWith("error: ", StringComparison.Ordinal)).ShouldBe(7);
    }

    [Theory]
    [InlineData("--timeout", "5ms")]
    [InlineData("--verify-writes")]
    public async Task What_does_not_go_together_is_told(params string[] options)
    {
        var outcome = await Cli.RunAsync(fleet, ["probe", target, .. options]);
        outcome.Code.ShouldBe(ExitCode.Usage);
        outcome.Error.ShouldStartWith("error: ");
    }

    [Fact]
    public async Task What_is_to_be_asked_must_be_said()
    {
        var outcome = await Cli.RunAsync(fleet, "probe", "--rate", "x");
        outcome.Code.ShouldBe(ExitCode.Usage);
        outcome.Error.ShouldContain("is missing");
        outcome.Error.ShouldContain("--rate");
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_is_told()
    {
        var outcome = await Cli.RunAsync(fleet, "probe", target, "--record", Path.Combine(directory, "no", "such"), "--duration", "1s");
        outcome.Code.ShouldBe(ExitCode.Usage);
        outcome.Error.ShouldContain("no/such");
    }

    [Fact]
    public async Task Help_lists_the_exit_codes_and_the_options()
    {
        var outcome = await Cli.RunAsync(fleet, "probe", "--help");
        outcome.Code.ShouldBe(ExitCode.Done);
        outcome.Out.ShouldContain("--verify-writes");
        outcome.Out.ShouldContain("acknowledged writes are lost");
        outcome.Out.Split("--timeout").Length.ShouldBe(3, "once as an option, once in an exit code");
    }

    [Theory]
    [InlineData("22222222-2222-2222-2222-222222222222", ExitCode.NotFound)]
    [InlineData("vm-9", ExitCode.NotFound)]
    public async Task An_upgrade_that_nobody_knows_is_not_waited_for(string watched, int code)
    {
        fleet.Answers.Refusal = Guid.TryParse(watched, out _) ? new Grpc.Core.RpcException(new Grpc.Core.Status(Grpc.Core.StatusCode.NotFound, "There is no such upgrade.")) : null;
        (await Cli.RunAsync(fleet, "probe", target, "--upgrade", watched)).Code.ShouldBe(code);
    }

    [Fact]
    public async Task An_upgrade_makes_the_phases_and_ends_the_probe()
    {
        fleet.Answers.Current = Some.Running("Preflight");
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.BreakConnection, Some.Running("Load")), new Watch(Ending.Complete, Some.Running("Boot"), Some.Completed()));
        var outcome = await Cli.RunAsync(fleet, "probe", target, "--rate", "100", "--upgrade", Some.Id, "--after", "300ms", "--json");
        outcome.Code.ShouldBe(ExitCode.Done);
        var report = ProbeReport.Parse(outcome.Out);
        report.Phases.Select(phase => phase.Name).ShouldBe(["before", "during", "after"]);
        report.Phases[2].Lasted.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(250));
    }

    [Fact]
    public async Task Each_step_of_an_upgrade_can_be_a_phase()
    {
        fleet.Answers.Current = Some.Running("Preflight");
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Complete, Some.Running("Load"), Some.Running("Boot"), Some.Running("Boot"), Some.Completed()));
        var outcome = await Cli.RunAsync(fleet, "probe", target, "--rate", "100", "--upgrade", Some.Id, "--by-steps", "--after", "300ms", "--json");
        ProbeReport.Parse(outcome.Out).Phases.Select(phase => phase.Name).ShouldBe(["before", "Load", "Boot", "after"]);
        (await Cli.RunAsync(fleet, "probe", target, "--by-steps")).Code.ShouldBe(ExitCode.Usage);
    }

    [Fact]
    public async Task The_next_upgrade_of_a_guest_is_waited_for()
    {
        fleet.Answers.Guests = new ListGuestsResponse { Guests = { new Guest { Name = "vm-1" } } };
        var past = Some.Completed("22222222-2222-2222-2222-222222222222");
        fleet.Answers.Upgrades = new ListUpgradesResponse { Upgrades = { past } };
        fleet.Answers.OnWatch(Some.Id, new Watch(Ending.Complete, Some.Running("Load"), Some.Completed()));
        var running = Cli.RunAsync(fleet, "probe", target, "--rate", "100", "--upgrade", "vm-1", "--after", "200ms", "--json");
        await Task.WhenAny(running, Task.Delay(700));
        running.IsCompleted.ShouldBeFalse();
        fleet.Answers.Upgrades = new ListUpgradesResponse { Upgrades = { Some.Running("Load", "", "33333333-3333-3333-3333-333333333333", "vm-2"), Some.Running("Load"), past } };
        var report = ProbeReport.Parse((await running).Out);
        report.Phases.Select(phase => phase.Name).ShouldBe(["before", "during", "after"]);
        report.Phases[0].Sent.ShouldBeGreaterThan(20);
    }

    [Fact]
    public async Task An_upgrade_that_has_ended_is_refused()
    {
        fleet.Answers.Current = Some.Completed();
        var outcome = await Cli.RunAsync(fleet, "probe", target, "--upgrade", Some.Id);
        outcome.Code.ShouldBe(ExitCode.Refused);
        outcome.Error.ShouldContain("has ended already");
    }

    [Fact]
    public async Task Marks_come_by_signal_by_file_and_by_line_and_Control_C_still_reports()
    {
        var marks = Path.Combine(directory, "marks");
        await File.WriteAllTextAsync(marks, "old\n");
        using var patience = new CancellationTokenSource(Cli.Patience);
        using var program = Process.Start(new ProcessStartInfo("dotnet",
            [Path.Combine(AppContext.BaseDirectory, "twinfleet.dll"), "probe", target, "--rate", "100", "--mark-file", marks, "--mark-stdin"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;

        Task Until(string text) => Task.Run(async () =>
        {
            while (await program.StandardOutput.ReadLineAsync(patience.Token) is { } line && !line.Contains(text, StringComparison.Ordinal))
            {
            }
        });
        await Until("before: ");
        await SignalAsync("-USR1");
        await Until("during: ");
        await File.AppendAllTextAsync(marks, "by file\n");
        await Until("by file: ");
        await program.StandardInput.WriteLineAsync("by line");
        await Until("by line: ");
        await program.StandardInput.WriteLineAsync();
        await Until("after: ");
        await SignalAsync("-INT");
        var rest = await program.StandardOutput.ReadToEndAsync(patience.Token);
        await program.WaitForExitAsync(patience.Token);
        program.ExitCode.ShouldBe(ExitCode.Done);
        rest.ShouldContain("longest gap");
        rest.ShouldContain("by file");
        rest.ShouldNotContain("old");

        async Task SignalAsync(string signal)
        {
            using var kill = Process.Start("kill", [signal, program.Id.ToString(CultureInfo.InvariantCulture)]);
            await kill.WaitForExitAsync(patience.Token);
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                (await service.AcceptAsync()).Dispose();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }
}
