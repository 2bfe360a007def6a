using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Gates;

/// <summary>How a gate command ended. One of <paramref name="ExitCode"/> and <paramref name="Problem"/> is there.</summary>
internal sealed record GateCommandResult(int? ExitCode, string LastLine, string? Problem);

/// <summary>
/// A command of this host's that a rollout's gate asks. Only files that lie directly in <c>Host:GateDirectory</c> are run, and only when nobody
/// but the agent's user and root could have put them there: who may speak to the broker must not thereby run what he likes.
/// </summary>
internal static partial class GateCommand
{
    private const int LongestLine = 200;
    private static readonly TimeSpan LongestTime = TimeSpan.FromMinutes(1);
    private const UnixFileMode OthersWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
    private const UnixFileMode Execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    public static async Task<GateCommandResult> RunAsync(
        AgentOptions options, string guest, string commandLine, TimeSpan timeout, CancellationToken cancellationToken)
    {
        string[] words = commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (Refusal(options, words) is { } refusal)
        {
            return new GateCommandResult(null, "", refusal);
        }

        ProcessStartInfo start = new(Path.Combine(options.GateDirectory, words[0]), words.Skip(1))
        {
            WorkingDirectory = "/",
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Nothing of the agent's own, which may hold the broker's password.
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["TWINKERNEL_HOST"] = options.Name;
        start.Environment["TWINKERNEL_GUEST"] = guest;

        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(timeout < LongestTime ? timeout : LongestTime);
        using Process process = new() { StartInfo = start };
        string last = "";
        process.OutputDataReceived += (_, line) => Take(line.Data);
        process.ErrorDataReceived += (_, line) => Take(line.Data);
        try
        {
            process.Start();
            process.StandardInput.Close();
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            await process.WaitForExitAsync(patience.Token).ConfigureAwait(false);
            return new GateCommandResult(process.ExitCode, Volatile.Read(ref last), null);
        }
        catch (Win32Exception e)
        {
            return new GateCommandResult(null, "", $"'{words[0]}' in {options.GateDirectory} on host '{options.Name}' could not be started: {e.Message}.");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancellationToken.ThrowIfCancellationRequested();
            return new GateCommandResult(null, Volatile.Read(ref last), string.Create(CultureInfo.InvariantCulture,
                $"'{commandLine}' did not end within {timeout.TotalSeconds:0.#} s on host '{options.Name}' and was killed."));
        }

        void Take(string? line)
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                Volatile.Write(ref last, line.Length > LongestLine ? line[..LongestLine] : line);
            }
        }
    }

    private static string? Refusal(AgentOptions options, string[] words)
    {
        if (options.GateDirectory.Length == 0)
        {
            return $"Host '{options.Name}' runs no gate commands; set Host:GateDirectory to a directory that holds those it may run.";
        }

        if (words.Length == 0 || !FileName.IsMatch(words[0]))
        {
            return $"'{words.FirstOrDefault()}' is not the name of a file in {options.GateDirectory}.";
        }

        FileInfo file = new(Path.Combine(options.GateDirectory, words[0]));
        return !file.Exists ? $"Host '{options.Name}' has no gate command '{words[0]}' in {options.GateDirectory}."
            : file.LinkTarget is not null ? $"Gate command '{words[0]}' on host '{options.Name}' is a link; put the file itself into {options.GateDirectory}."
            : (file.UnixFileMode & Execute) == 0 ? $"Gate command '{words[0]}' on host '{options.Name}' is not executable."
            : ((file.UnixFileMode | new DirectoryInfo(options.GateDirectory).UnixFileMode) & OthersWrite) != 0
                ? $"Gate command '{words[0]}' on host '{options.Name}', or {options.GateDirectory}, can be written by group or others; take that right away."
                : null;
    }

    [GeneratedRegex(@"\A[A-Za-z0-9_][A-Za-z0-9_.-]*\z")]
    private static partial Regex FileName { get; }
}
