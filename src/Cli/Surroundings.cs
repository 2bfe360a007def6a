using Spectre.Console;

namespace TwinKernel.Fleet.Cli;

/// <summary>Everything of the process that a command touches.</summary>
internal sealed class Surroundings
{
    /// <summary>Wide enough that nothing is wrapped where a program reads.</summary>
    private const int PipeWidth = 4096;

    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Whether a person looks at <see cref="Out"/> on a terminal that can redraw.</summary>
    public required bool OnTerminal { get; init; }

    public required Func<string, string?> Variable { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public IAnsiConsole Console => field ??= CreateConsole();

    public static Surroundings OfProcess() => new()
    {
        Out = System.Console.Out,
        Error = System.Console.Error,
        OnTerminal = !System.Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb"),
        Variable = Environment.GetEnvironmentVariable,
    };

    private IAnsiConsole CreateConsole()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Out),
            Ansi = OnTerminal ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = !OnTerminal || Variable("NO_COLOR") is { Length: > 0 } ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = OnTerminal ? InteractionSupport.Yes : InteractionSupport.No,
        });
        if (!OnTerminal)
        {
            console.Profile.Width = PipeWidth;
        }

        return console;
    }
}
