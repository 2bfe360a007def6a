using System.Runtime.InteropServices;
using TwinKernel.Fleet.Probe;

namespace TwinKernel.Fleet.Cli.Probing;

/// <summary>Who may say from outside that a phase begins: SIGUSR1, lines of a file, lines of the standard input.</summary>
internal sealed class PhaseMarks : IDisposable
{
    /// <summary>Its number on every architecture that this runs on.</summary>
    private const PosixSignal User1 = (PosixSignal)10;
    private static readonly TimeSpan FilePause = TimeSpan.FromMilliseconds(10);
    private readonly PosixSignalRegistration _signal;

    private PhaseMarks(ProbeRun probe) => _signal = PosixSignalRegistration.Create(User1, context =>
    {
        context.Cancel = true;
        probe.Mark();
    });

    /// <exception cref="IOException">There is no such file, and it cannot be made.</exception>
    public static PhaseMarks Open(ProbeRun probe, string? file, bool input, CancellationToken ended)
    {
        if (file is not null)
        {
            var lines = new FileStream(file, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            lines.Seek(0, SeekOrigin.End);
            _ = FollowAsync(new StreamReader(lines), probe, waitForMore: true, ended);
        }

        if (input)
        {
            // A read of the standard input cannot be given up: its thread ends with the process.
            new Thread(() => FollowAsync(Console.In, probe, waitForMore: false, ended).GetAwaiter().GetResult()) { IsBackground = true, Name = "marks" }.Start();
        }

        return new PhaseMarks(probe);
    }

    public void Dispose() => _signal.Dispose();

    private static async Task FollowAsync(TextReader lines, ProbeRun probe, bool waitForMore, CancellationToken ended)
    {
        while (!ended.IsCancellationRequested)
        {
            if (await lines.ReadLineAsync(CancellationToken.None) is { } line)
            {
                probe.Mark(line.Trim() is { Length: > 0 } name ? name : null);
            }
            else if (waitForMore)
            {
                await Task.Delay(FilePause, CancellationToken.None);
            }
            else
            {
                return;
            }
        }
    }
}
