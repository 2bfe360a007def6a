namespace TwinKernel.Fleet.Probe.Measuring;

/// <summary>Makes a report of figures.</summary>
internal static class Reporting
{
    private const long AlwaysOnTime = 1_000_000;

    /// <summary>What was due before a mark is to be before it in the report too.</summary>
    private const long RoundUp = 49;

    public static ProbeReport ToReport(this Measurement measurement, ProbeSettings settings, long reconnects, WritesReport? writes)
    {
        List<(long At, string Phase)> marks = [.. measurement.Marks];
        return new ProbeReport
        {
            Service = settings.Service.ToString(),
            Writing = settings.Writes,
            Interval = settings.Interval,
            Timeout = settings.Timeout,
            Connections = settings.Connections,
            LatencyRelativeError = LatencyHistogram.RelativeError,
            Total = ToReport(measurement.Total),
            Phases = [.. measurement.Phases.Select(ToReport)],
            Marks = [.. marks.Select(mark => new MarkReport { At = Time(mark.At + RoundUp), Phase = mark.Phase })],
            GapThreshold = settings.GapThreshold,
            Gaps = [.. measurement.Gaps.Select(gap => new GapReport
            {
                At = Time(gap.From),
                Length = Time(gap.Length),
                Phase = marks.LastOrDefault(mark => mark.At <= gap.From, (0, Measurement.FirstPhase)).Phase,
                OwnLateness = Time(gap.OwnLateness),
                Open = gap.Open,
            })],
            GapsLeftOut = measurement.GapsLeftOut,
            Reconnects = reconnects,
            Writes = writes,
            Self = new SelfReport
            {
                KeptRate = measurement.Total.NotSent == 0 && measurement.Lateness.Percentile(99) <= Math.Max(measurement.Due(1), AlwaysOnTime),
                Lateness = ToReport(measurement.Lateness),
                SentLate = measurement.SentLate,
            },
        };
    }

    /// <param name="lasting">How long no answer has arrived.</param>
    public static ProbeSecond ToSecond(this Tally tally, string phase, long at, long lasting) => new(
        Time(at),
        phase,
        tally.Sent,
        tally.Answered,
        tally.Unanswered,
        tally.ErrorCount,
        Time(tally.Latencies.Percentile(50)),
        Time(tally.Latencies.Percentile(99)),
        Time(tally.Latencies.Max),
        Time(Math.Max(tally.LongestGap, lasting)));

    public static TimeSpan Time(long nanoseconds) => TimeSpan.FromTicks((nanoseconds + 50) / TimeSpan.NanosecondsPerTick);

    private static PhaseReport ToReport(Tally tally) => new()
    {
        Name = tally.Name,
        Lasted = Time(tally.Lasted),
        Sent = tally.Sent,
        Answered = tally.Answered,
        Unanswered = tally.Unanswered,
        NotSent = tally.NotSent,
        Errors = tally.Errors,
        LongestGap = Time(tally.LongestGap),
        LongestLoss = Time(tally.LongestLoss),
        Latency = ToReport(tally.Latencies),
    };

    private static LatencyReport ToReport(LatencyHistogram histogram) => new()
    {
        P50 = Time(histogram.Percentile(50)),
        P90 = Time(histogram.Percentile(90)),
        P99 = Time(histogram.Percentile(99)),
        P999 = Time(histogram.Percentile(99.9m)),
        Max = Time(histogram.Max),
    };
}
