using System.Globalization;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Upgrades.Steps;

/// <summary>
/// The console of kernel B since its boot. Which serial port it has depends on the generation, so that both logs
/// are marked at the boot and the one that a kernel announced itself on since then is B's.
/// </summary>
internal static class StandbyConsole
{
    private const string Panic = "Kernel panic - not syncing";
    private const string Announcement = "Linux version ";
    private const int LastLines = 6;

    /// <summary>Remembers where the logs end, once per upgrade.</summary>
    public static void Mark(StepContext context)
    {
        for (int i = 0; i < context.Machine.ConsoleLogs.Count; i++)
        {
            if (Offset(context, i) is null)
            {
                long length = ConsoleLog.Length(context.Machine.ConsoleLogs[i]);
                context.Journal.Note(context.Command.UpgradeId, Name(i), length.ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    /// <summary>The line of a panic since the mark; null when there is none.</summary>
    public static string? PanicLine(StepContext context) => Texts(context)
        .SelectMany(ConsoleLog.Lines)
        .FirstOrDefault(line => line.Contains(Panic, StringComparison.Ordinal) && !line.Contains("end " + Panic, StringComparison.Ordinal));

    /// <summary>The last lines that kernel B wrote.</summary>
    public static string Tail(StepContext context)
    {
        string[] texts = [.. Texts(context)];
        string ofB = Array.Find(texts, t => t.Contains(Announcement, StringComparison.Ordinal)) ?? texts.MaxBy(t => t.Length) ?? "";
        string[] lines = ConsoleLog.Lines(ofB);
        return lines.Length == 0 ? "kernel B wrote nothing on its console" : "kernel B's console ends: " + string.Join(" | ", lines.TakeLast(LastLines));
    }

    private static IEnumerable<string> Texts(StepContext context) => context.Machine.ConsoleLogs
        .Select((path, i) => Offset(context, i) is { } offset ? ConsoleLog.After(path, offset) : "");

    private static long? Offset(StepContext context, int port) =>
        long.TryParse(context.Journal.Fact(context.Command.UpgradeId, Name(port)), CultureInfo.InvariantCulture, out long offset) ? offset : null;

    private static string Name(int port) => string.Create(CultureInfo.InvariantCulture, $"console{port + 1}");
}
