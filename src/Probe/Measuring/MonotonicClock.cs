using System.Diagnostics;

namespace TwinKernel.Fleet.Probe.Measuring;

/// <summary>The one clock of a run: nanoseconds since its start, of CLOCK_MONOTONIC.</summary>
internal sealed class MonotonicClock
{
    private static readonly long UnitNanoseconds = 1_000_000_000 / Stopwatch.Frequency;
    private long _origin = Stopwatch.GetTimestamp();

    public long Now => (Stopwatch.GetTimestamp() - _origin) * UnitNanoseconds;

    /// <summary>Now is 0 from here on. Only before anything was timed.</summary>
    public void Restart() => _origin = Stopwatch.GetTimestamp();
}
