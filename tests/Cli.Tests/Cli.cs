namespace TwinKernel.Fleet.Cli.Tests;

/// <summary>What one command line came to.</summary>
internal sealed record Outcome(int Code, string Out, string Error)
{
    public string[] Lines => Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Runs command lines in this process.</summary>
internal static class Cli
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static Task<Outcome> RunAsync(FakeFleet fleet, params string[] arguments) =>
        RunAsync(fleet.Address.ToString(), false, new RecordedOutput(), CancellationToken.None, arguments);

    public static async Task<Outcome> RunAsync(string? coordinator, bool onTerminal, RecordedOutput output, CancellationToken cancellationToken, params string[] arguments)
    {
        var error = new RecordedOutput();
        var surroundings = new Surroundings
        {
            Out = output,
            Error = error,
            OnTerminal = onTerminal,
            Variable = name => name == CommonOptions.CoordinatorVariable ? coordinator : null,
        };
        var code = await CommandLine.RunAsync(arguments, surroundings, cancellationToken).WaitAsync(Patience, CancellationToken.None);
        return new Outcome(code, output.ToString(), error.ToString());
    }
}
