using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>One who sits at a guest's serial port, through <c>hostagent console</c>.</summary>
internal sealed class GuestConsole : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Process process;
    private readonly StringBuilder screen = new();
    private readonly Task reading;
    private int read;

    public GuestConsole(Process process)
    {
        this.process = process;
        reading = ReadAsync();
    }

    public async Task TypeAsync(string keys)
    {
        await process.StandardInput.WriteAsync(keys);
        await process.StandardInput.FlushAsync();
    }

    /// <summary>Waits for what comes next on the screen; messages of the kernel may stand in between.</summary>
    public async Task<Match> ExpectAsync(string pattern)
    {
        Match match = Match.Empty;
        try
        {
            await Eventually.TrueAsync(Patience, pattern, () =>
            {
                lock (screen)
                {
                    match = Regex.Match(screen.ToString(read, screen.Length - read), pattern);
                    read += match.Success ? match.Index + match.Length : 0;
                }

                return Task.FromResult(match.Success);
            });
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message} The screen: {screen}", e);
        }

        return match;
    }

    /// <summary>From a login prompt that may have gone by unseen to a shell.</summary>
    public async Task LoginAsync(string password)
    {
        // The kernel may say something while the prompt is written: ask again by an empty name.
        await Eventually.TrueAsync(Patience, "a login prompt", async () =>
        {
            await TypeAsync("\r");
            await Task.Delay(TimeSpan.FromSeconds(1));
            lock (screen)
            {
                return screen.ToString().Contains("login:", StringComparison.Ordinal);
            }
        });
        await TypeAsync("root\r");
        await ExpectAsync("Password:");
        // login forgets what was typed before it listens.
        await Task.Delay(TimeSpan.FromSeconds(2));
        await TypeAsync(password + "\r");
        await TypeAsync("echo in-$((40+2))\r");
        await ExpectAsync("in-42");
    }

    /// <summary>Leaves by the escape key.</summary>
    public async Task<int> LeaveAsync()
    {
        await TypeAsync("\u001d");
        await process.WaitForExitAsync().WaitAsync(Patience);
        return process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            process.Kill();
        }

        await reading;
        process.Dispose();
    }

    private async Task ReadAsync()
    {
        char[] buffer = new char[1024];
        int count;
        while ((count = await process.StandardOutput.ReadAsync(buffer)) > 0)
        {
            lock (screen)
            {
                screen.Append(buffer, 0, count);
            }
        }
    }
}
