using System.Globalization;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Probe;

namespace TwinKernel.Fleet.Cli.Probing;

/// <summary>A probe's report for people.</summary>
internal static class ProbeText
{
    /// <summary>The longest of them, in the order of their time.</summary>
    private const int MostGaps = 10;

    public static void Print(Surroundings surroundings, ProbeReport report)
    {
        var output = surroundings.Out;
        PrintFigures(surroundings, report);
        foreach (var gap in report.Gaps.OrderByDescending(gap => gap.Length).Take(MostGaps).OrderBy(gap => gap.At))
        {
            var own = gap.OwnLateness > report.Interval ? $"; the probe itself was up to {Units.Time(gap.OwnLateness)} late" : "";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"Gap       at {gap.At.TotalSeconds:0.000} s ({gap.Phase}): {Units.Time(gap.Length)}{(gap.Open ? ", not ended" : "")}{own}"));
        }

        if (report.Gaps.Count + report.GapsLeftOut > MostGaps)
        {
            output.WriteLine($"Gap       and {Count(report.Gaps.Count + report.GapsLeftOut - MostGaps)} more of {Units.Time(report.GapThreshold)} or longer; --json lists them");
        }

        if (report.Reconnects > 0)
        {
            output.WriteLine($"Remade    {Count(report.Reconnects)} connections");
        }

        if (report.Writes is { } writes)
        {
            PrintWrites(output, writes);
        }

        output.WriteLine($"Probe     sent p99 {Units.Time(report.Self.Lateness.P99)}, max {Units.Time(report.Self.Lateness.Max)} after it was due; {Count(report.Self.SentLate)} of {Count(report.Total.Sent)} more than {Units.Time(report.Interval)} late");
        if (!report.Self.KeptRate)
        {
            output.WriteLine("          it could not keep its rate: gaps and latencies are partly its own");
        }
    }

    private static void PrintFigures(Surroundings surroundings, ProbeReport report)
    {
        var columns = report.Phases.Count > 1 ? report.Phases.Append(report.Total).ToList() : [report.Total];
        var listing = new Listing(surroundings.OnTerminal, ["", .. columns.Select(phase => phase.Name.Length > 0 ? phase.Name : "all")]);
        for (var column = 1; column <= columns.Count; column++)
        {
            listing.AlignRight(column);
        }

        void Row(string name, Func<PhaseReport, string> value) => listing.Add([name, .. columns.Select(value)]);
        Row("lasted", phase => Units.Time(phase.Lasted));
        Row("sent", phase => Count(phase.Sent));
        Row("answered", phase => Count(phase.Answered));
        Row("unanswered", phase => Count(phase.Unanswered));
        foreach (var kind in report.Total.Errors.Keys)
        {
            Row($"error {kind}", phase => Count(phase.Errors.GetValueOrDefault(kind)));
        }

        if (report.Total.NotSent > 0)
        {
            Row("not sent", phase => Count(phase.NotSent));
        }

        Row("longest gap", phase => Units.Time(phase.LongestGap));
        Row("longest loss", phase => Units.Time(phase.LongestLoss));
        Row("latency p50", phase => phase.Answered == 0 ? "-" : Units.Time(phase.Latency.P50));
        Row("p90", phase => phase.Answered == 0 ? "-" : Units.Time(phase.Latency.P90));
        Row("p99", phase => phase.Answered == 0 ? "-" : Units.Time(phase.Latency.P99));
        Row("p99.9", phase => phase.Answered == 0 ? "-" : Units.Time(phase.Latency.P999));
        Row("max", phase => phase.Answered == 0 ? "-" : Units.Time(phase.Latency.Max));
        surroundings.Console.Write(listing.Table);
    }

    private static void PrintWrites(TextWriter output, WritesReport writes)
    {
        output.WriteLine($"Writes    {Count(writes.Acknowledged)} acknowledged, {(writes.Verified ? $"{Count(writes.Lost)} of them lost" : "not read back")}");
        foreach (var lost in writes.FirstLost)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"          lost: {lost.Key}, due at {lost.Due.TotalSeconds:0.000} s, {(lost.Found is null ? "is not there" : $"is \"{lost.Found}\"")}"));
        }

        if (writes.Problem is not null)
        {
            output.WriteLine($"          {writes.Problem}");
        }
    }

    private static string Count(long count) => Units.Count((ulong)count);
}
