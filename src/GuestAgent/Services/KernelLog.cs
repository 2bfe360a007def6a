using System.Text;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>
/// Logs to <c>/dev/kmsg</c>, one record a line: it shows on the console in the order of what the kernel says, also in a kernel whose serial port
/// has no interrupt. Without it, to standard output.
/// </summary>
internal sealed class KernelLog : ILoggerProvider
{
    private const string Device = "/dev/kmsg";
    private const int LongestRecord = 900;
    private readonly int _descriptor = Libc.Open(Device, Libc.WriteOnly | Libc.CloseOnExec);

    public ILogger CreateLogger(string categoryName) => new Sink(this);

    public void Dispose()
    {
        if (_descriptor >= 0)
        {
            Libc.Close(_descriptor);
        }
    }

    private unsafe void Write(LogLevel level, string text)
    {
        int priority = level switch
        {
            LogLevel.Critical => 2,
            LogLevel.Error => 3,
            LogLevel.Warning => 4,
            _ => 6,
        };
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            byte[] bytes = Encoding.UTF8.GetBytes($"<{priority}>twinkernel-agent: {(line.Length > LongestRecord ? line[..LongestRecord] : line)}\n");
            fixed (byte* first = bytes)
            {
                if (_descriptor >= 0 && Libc.Write(_descriptor, first, (nuint)bytes.Length) >= 0)
                {
                    continue;
                }
            }

            Console.Out.WriteLine(line);
        }
    }

    private sealed class Sink(KernelLog log) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                log.Write(logLevel, exception is null ? formatter(state, exception) : $"{formatter(state, exception)}\n{exception}");
            }
        }
    }
}
