using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Gates;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.HostAgent.Tests.Gates;

/// <summary>Real commands: what they say, and everything that is not run.</summary>
public sealed class GateCommandTests : IDisposable
{
    private readonly string _directory = Repository.CreateScratchDirectory("gates");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Exit_code_and_last_line_are_the_answer_and_nothing_of_the_agents_own_is_seen()
    {
        Environment.SetEnvironmentVariable("Broker__Uri_For_This_Test", "secret");
        Put("check", """
            { echo first; echo "$TWINKERNEL_HOST/$TWINKERNEL_GUEST $# $2 ${Broker__Uri_For_This_Test-unset}"; } >&2; exit 2
            """);
        (await RunAsync("check  a b")).ShouldBe(new GateCommandResult(2, "h1/g1 2 b unset", null));
    }

    [Fact]
    public async Task Who_takes_too_long_is_killed_with_what_it_started()
    {
        Put("slow", $"sleep 600 & echo $! > {_directory}/child; wait");
        GateCommandResult result = await RunAsync("slow", TimeSpan.FromSeconds(1));
        result.ExitCode.ShouldBeNull();
        result.Problem.ShouldBe("'slow' did not end within 1 s on host 'h1' and was killed.");
        string child = File.ReadAllText(Path.Combine(_directory, "child")).Trim();
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(10));
        while (File.Exists($"/proc/{child}/stat") && !File.ReadAllText($"/proc/{child}/stat").Contains(" Z ", StringComparison.Ordinal))
        {
            await Task.Delay(20, deadline.Token);
        }
    }

    [Theory]
    [InlineData("none", "has no gate command 'none'")]
    [InlineData("../check", "'../check' is not the name of a file")]
    [InlineData("/bin/true", "'/bin/true' is not the name of a file")]
    [InlineData("", "'' is not the name of a file")]
    [InlineData("link", "is a link")]
    [InlineData("plain", "is not executable")]
    [InlineData("open", "can be written by group or others")]
    public async Task What_the_hosts_operator_did_not_put_there_is_not_run(string command, string problem)
    {
        Put("check", "exit 0");
        Put("plain", "exit 0", UnixFileMode.UserRead);
        Put("open", "exit 0", UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherWrite);
        File.CreateSymbolicLink(Path.Combine(_directory, "link"), "/bin/true");
        GateCommandResult result = await RunAsync(command);
        result.ExitCode.ShouldBeNull();
        result.Problem.ShouldNotBeNull().ShouldContain(problem);
    }

    [Fact]
    public async Task Without_a_directory_or_in_one_that_others_can_write_to_nothing_is_run()
    {
        Put("check", "exit 0");
        (await GateCommand.RunAsync(new AgentOptions { Name = "h1" }, "g1", "check", TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken))
            .Problem.ShouldBe("Host 'h1' runs no gate commands; set Host:GateDirectory to a directory that holds those it may run.");
        File.SetUnixFileMode(_directory, File.GetUnixFileMode(_directory) | UnixFileMode.GroupWrite);
        (await RunAsync("check")).Problem.ShouldNotBeNull().ShouldContain("can be written by group or others");
    }

    private Task<GateCommandResult> RunAsync(string command, TimeSpan? timeout = null) => GateCommand.RunAsync(
        new AgentOptions { Name = "h1", GateDirectory = _directory }, "g1", command, timeout ?? TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);

    private void Put(string name, string script, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, mode);
    }
}
