using System.Globalization;
using System.Text.Json.Nodes;

namespace TwinKernel.Fleet.Simulator.Reporting;

/// <summary>What is counted.</summary>
internal enum Counted
{
    Command,
    Duplicate,
    Refusal,
    Succeeded,
    Failed,
    Resumed,
    Heartbeat,
    Inspection,
    Restart,
    Unreadable,
    Published,
}

/// <summary>How often what happened, of all hosts together. For any thread.</summary>
internal sealed class Tally
{
    private readonly long[] _counts = new long[Enum.GetValues<Counted>().Length];

    public void Count(Counted what) => Interlocked.Increment(ref _counts[(int)what]);

    public long Of(Counted what) => Interlocked.Read(ref _counts[(int)what]);

    /// <summary>One line.</summary>
    public string Line(TimeSpan since, int hosts) => string.Create(
        CultureInfo.InvariantCulture,
        $"{since:hh\\:mm\\:ss}  hosts {hosts}  heartbeats {Of(Counted.Heartbeat)}  commands {Of(Counted.Command)}  succeeded {Of(Counted.Succeeded)}  failed {Of(Counted.Failed)}  refused {Of(Counted.Refusal)}  duplicates {Of(Counted.Duplicate)}");

    /// <summary>Every count under its name in lower camel case, after <c>seconds</c>, <c>hosts</c> and <c>guests</c>.</summary>
    public JsonObject Summary(TimeSpan since, int hosts, int guests)
    {
        JsonObject summary = new() { ["seconds"] = Math.Round(since.TotalSeconds, 3), ["hosts"] = hosts, ["guests"] = guests };
        foreach ((Counted what, string name) in Names)
        {
            summary[name] = Of(what);
        }

        return summary;
    }

    private static readonly IReadOnlyList<(Counted What, string Name)> Names =
    [
        (Counted.Heartbeat, "heartbeats"), (Counted.Command, "commands"), (Counted.Succeeded, "succeeded"), (Counted.Failed, "failed"),
        (Counted.Refusal, "refusals"), (Counted.Duplicate, "duplicates"), (Counted.Resumed, "resumed"), (Counted.Restart, "restarts"),
        (Counted.Inspection, "inspections"), (Counted.Unreadable, "unreadable"), (Counted.Published, "published"),
    ];
}
