namespace TwinKernel.Fleet.Simulator.Scenarios;

/// <summary>
/// How long something takes: log-normal, as such times are, given by its median and 95th percentile, never above <paramref name="Most"/>.
/// Both equal: always the same.
/// </summary>
internal sealed record Latency(TimeSpan Median, TimeSpan P95, TimeSpan Most)
{
    /// <summary>The 95th percentile of the standard normal distribution.</summary>
    private const double Z95 = 1.6448536269514722;

    /// <param name="normal">Of the standard normal distribution.</param>
    public TimeSpan At(double normal)
    {
        if (Median == TimeSpan.Zero)
        {
            return TimeSpan.Zero;
        }

        double spread = Math.Log(P95 / Median) / Z95;
        double ticks = Median.Ticks * Math.Exp(spread * normal);
        return ticks >= Most.Ticks ? Most : TimeSpan.FromTicks((long)ticks);
    }
}
