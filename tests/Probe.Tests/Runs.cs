using System.Globalization;
using TwinKernel.Fleet.Probe.Measuring;

// What they measure is time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace TwinKernel.Fleet.Probe.Tests;

/// <summary>A row of a record.</summary>
internal sealed record Row(long Number, TimeSpan Due, TimeSpan? Latency, string Outcome);

/// <summary>What a run came to.</summary>
internal sealed record Seen(ProbeReport Report, IReadOnlyList<Row> Rows)
{
    /// <summary>What the record of all requests tells of the longest gap, whatever a busy machine added to it.</summary>
    public TimeSpan LongestBetweenAnswers
    {
        get
        {
            TimeSpan[] arrivals = [.. Rows.Where(row => row.Outcome == Outcome.Answered).Select(row => row.Due + row.Latency!.Value).Order()];
            return arrivals.Zip(arrivals.Skip(1), (first, second) => second - first).Max();
        }
    }
}

internal static class Runs
{
    public static ProbeSettings Settings(string service) => new()
    {
        Service = ServiceAddress.Parse(service, out _)!,
        Interval = TimeSpan.FromMilliseconds(2),
        Duration = TimeSpan.FromSeconds(2),
        Connections = 4,
    };

    /// <summary>Runs a probe; <paramref name="meanwhile"/> begins once it has seen its first second's answers, when it was given.</summary>
    public static async Task<Seen> RunAsync(ProbeSettings settings, Action<ProbeRun>? meanwhile = null)
    {
        using var record = new StringWriter(CultureInfo.InvariantCulture);
        var run = new ProbeRun(settings with { Record = record });
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<ProbeReport> running = run.RunAsync(_ => first.TrySetResult());
        if (meanwhile is not null)
        {
            await Task.WhenAny(first.Task, running);
            await Task.Run(() => meanwhile(run));
        }

        ProbeReport report = await running.WaitAsync(TimeSpan.FromMinutes(2));
        Seen seen = new(report, Parse(record.ToString()));
        Agree(seen);
        return seen;
    }

    /// <summary>What holds of every run: the record and the report say the same, and nothing is left out.</summary>
    private static void Agree(Seen seen)
    {
        PhaseReport total = seen.Report.Total;
        long errors = total.Errors.Values.Sum();
        (total.Answered + total.Unanswered + errors).ShouldBe(total.Sent);
        seen.Rows.Select(row => row.Number).Order().ShouldBe(Enumerable.Range(0, (int)(total.Sent + total.NotSent)).Select(number => (long)number));
        seen.Rows.ShouldAllBe(row => row.Due == row.Number * seen.Report.Interval);
        seen.Rows.Count(row => row.Outcome == Outcome.Answered).ShouldBe((int)total.Answered);
        seen.Report.Phases.Sum(phase => phase.Sent).ShouldBe(total.Sent);
        ProbeReport.Parse(seen.Report.ToJson()).ToJson().ShouldBe(seen.Report.ToJson());
    }

    private static List<Row> Parse(string csv)
    {
        string[] lines = csv.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines[0].ShouldBe("number,due_us,latency_us,outcome");
        return [.. lines.Skip(1).Select(line =>
        {
            string[] fields = line.Split(',');
            return new Row(long.Parse(fields[0], CultureInfo.InvariantCulture), Time(fields[1]), fields[2].Length == 0 ? null : Time(fields[2]), fields[3]);
        })];
    }

    private static TimeSpan Time(string microseconds) => TimeSpan.FromTicks((long)(decimal.Parse(microseconds, CultureInfo.InvariantCulture) * TimeSpan.TicksPerMicrosecond));
}
