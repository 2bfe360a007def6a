namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>
/// Coordinator to host agent, over the host's own queue (<see cref="QueueNames.Host"/>): what does a command on the host say of a guest? A
/// question, answered with <see cref="GateCommandEnded"/> to whoever asked; it lives no longer than the asker waits. The host runs only
/// what its own operator has put into its directory of gate commands.
/// </summary>
public sealed record RunGateCommand
{
    public required string Host { get; init; }
    public required string Guest { get; init; }

    /// <summary>A file name in that directory, and arguments, separated by blanks; there is no quoting.</summary>
    public required string CommandLine { get; init; }

    /// <summary>Then it is killed, with all that it started. At most a minute.</summary>
    public required TimeSpan Timeout { get; init; }
}

/// <summary>Host agent to the coordinator that asked. One of <see cref="ExitCode"/> and <see cref="Problem"/> is there.</summary>
public sealed record GateCommandEnded
{
    public required string Host { get; init; }
    public required string Guest { get; init; }

    /// <summary>0 to 255; 128 and the signal's number when one ended it.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The last line that it wrote, at most 200 characters.</summary>
    public string LastLine { get; init; } = "";

    /// <summary>Why it was not run, or not to its end, and what to do.</summary>
    public string? Problem { get; init; }
}
