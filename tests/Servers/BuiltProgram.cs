using System.Diagnostics;

namespace TwinKernel.Fleet.Tests.Servers;

/// <summary>A program of this tree, started as a process with its output in a log file.</summary>
public sealed class BuiltProgram : IAsyncDisposable
{
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(20);

    private readonly Process process;
    private readonly Task logging;

    private BuiltProgram(Process process, string logFile)
    {
        this.process = process;
        LogFile = logFile;
        logging = LogAsync(logFile);
    }

    public string LogFile { get; }

    public int Id => process.Id;

    public bool HasEnded => process.HasExited;

    public static BuiltProgram Start(
        string project, string assembly, string logFile, IReadOnlyDictionary<string, string> environment, params IEnumerable<string> arguments)
        => new(Process.Start(StartInfo(project, assembly, environment, arguments))!, logFile);

    /// <summary>Starts a program to talk to; what it says on standard error is dropped.</summary>
    public static Process StartInteractive(
        string project, string assembly, IReadOnlyDictionary<string, string> environment, params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = StartInfo(project, assembly, environment, arguments);
        start.RedirectStandardInput = true;
        Process process = Process.Start(start)!;
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        return process;
    }

    /// <summary>Runs a program to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(
        string project, string assembly, IReadOnlyDictionary<string, string> environment, TimeSpan deadline, params IEnumerable<string> arguments)
    {
        using Process process = Process.Start(StartInfo(project, assembly, environment, arguments))!;
        using CancellationTokenSource late = new(deadline);
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TimeoutException($"{assembly} {string.Join(' ', arguments)} took longer than {deadline}: {await output}{await error}");
        }

        return (process.ExitCode, await output, await error);
    }

    /// <summary>Ends the process as a crash would.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        await logging;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            using (Process term = Process.Start("kill", ["-TERM", $"{process.Id}"]))
            {
                await term.WaitForExitAsync();
            }

            using CancellationTokenSource late = new(EndDeadline);
            try
            {
                await process.WaitForExitAsync(late.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill();
            }
        }

        await logging;
        process.Dispose();
    }

    private static ProcessStartInfo StartInfo(
        string project, string assembly, IReadOnlyDictionary<string, string> environment, IEnumerable<string> arguments)
    {
        // Tests and programs are built side by side: bin/EndToEnd.Tests/debug and bin/<project>/debug.
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd('/'));
        string path = Path.Combine(own.Parent!.Parent!.FullName, project, own.Name, assembly + ".dll");
        ProcessStartInfo start = new("dotnet", [path, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    private async Task LogAsync(string logFile)
    {
        await using FileStream log = new(logFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        await Task.WhenAll(CopyAsync(process.StandardOutput, log), CopyAsync(process.StandardError, log));
    }

    private static async Task CopyAsync(StreamReader reader, FileStream log)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            byte[] bytes = [.. System.Text.Encoding.UTF8.GetBytes(line), (byte)'\n'];
            lock (log)
            {
                log.Write(bytes);
                log.Flush();
            }
        }
    }
}
