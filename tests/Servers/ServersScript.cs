using System.Diagnostics;

namespace TwinKernel.Fleet.Tests.Servers;

/// <summary>Runs <c>eng/servers</c>, which owns all knowledge of how the servers are started and ended.</summary>
internal static class ServersScript
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    /// <exception cref="InvalidOperationException">The script failed; the message is what it said.</exception>
    public static async Task RunAsync(params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(Repository.Find("eng", "servers"), arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process script = Process.Start(start)!;
        using CancellationTokenSource deadline = new(Deadline);
        try
        {
            Task<string> output = script.StandardOutput.ReadToEndAsync(deadline.Token);
            Task<string> error = script.StandardError.ReadToEndAsync(deadline.Token);
            await script.WaitForExitAsync(deadline.Token);
            if (script.ExitCode != 0)
            {
                throw new InvalidOperationException(
                    $"eng/servers {start.ArgumentList[0]} ended with {script.ExitCode}: {await error}{await output}");
            }
        }
        catch (OperationCanceledException)
        {
            script.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"eng/servers {start.ArgumentList[0]} took longer than {Deadline}.");
        }
    }
}
