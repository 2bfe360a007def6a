using System.Diagnostics;

namespace TwinKernel.Fleet.Grpc.Tests.Interop;

/// <summary>A program of the folder Python on Debian's interpreter, with Debian's python3-grpcio.</summary>
internal sealed class PythonProgram : IAsyncDisposable
{
    private const string Interpreter = "/usr/bin/python3";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process process;
    private readonly Task<string> errors;

    private PythonProgram(Process process)
    {
        this.process = process;
        errors = process.StandardError.ReadToEndAsync();
    }

    public static PythonProgram Start(string script, params string[] arguments)
    {
        File.Exists(Interpreter).ShouldBeTrue($"{Interpreter} is missing: install the packages python3 and python3-grpcio");
        var start = new ProcessStartInfo(Interpreter, [Path.Combine(AppContext.BaseDirectory, "Python", script), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove("http_proxy");
        start.Environment.Remove("https_proxy");
        start.Environment.Remove("PYTHONPATH");
        return new PythonProgram(Process.Start(start)!);
    }

    public async Task<string> ReadLineAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        return await process.StandardOutput.ReadLineAsync(patience.Token) ?? throw await FailureAsync();
    }

    /// <summary>All that the program prints, once it has ended well.</summary>
    public async Task<string> ReadToEndAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var output = await process.StandardOutput.ReadToEndAsync(patience.Token);
        await process.WaitForExitAsync(patience.Token);
        return process.ExitCode == 0 ? output : throw await FailureAsync();
    }

    public async ValueTask DisposeAsync()
    {
        // The end of its input is the server's sign to end.
        process.StandardInput.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
        }

        process.Dispose();
    }

    private async Task<InvalidOperationException> FailureAsync()
    {
        var text = await errors.WaitAsync(Patience);
        return text.Contains("No module named", StringComparison.Ordinal)
            ? new InvalidOperationException($"install the package python3-grpcio: {text}")
            : new InvalidOperationException($"The Python program failed: {text}");
    }
}
