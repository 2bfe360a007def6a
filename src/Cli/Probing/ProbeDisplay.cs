using System.Globalization;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Probe;

namespace TwinKernel.Fleet.Cli.Probing;

/// <summary>A line for every second while a probe runs.</summary>
internal sealed class ProbeDisplay
{
    private readonly Surroundings surroundings;

    public ProbeDisplay(Surroundings surroundings, ProbeSettings settings)
    {
        this.surroundings = surroundings;
        surroundings.Out.WriteLine($"{settings.Service}: a request each {Units.Time(settings.Interval)}, deadline {Units.Time(settings.Timeout)}");
    }

    public void Show(ProbeSecond second)
    {
        var errors = second.Unanswered + second.Errors == 0 ? "" : $", {Units.Count((ulong)second.Unanswered)} unanswered, {Units.Count((ulong)second.Errors)} errors";
        var latency = second.Answered == 0 ? "" : $"; p50 {Units.Time(second.P50)}, p99 {Units.Time(second.P99)}, max {Units.Time(second.Max)}";
        surroundings.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{second.At.TotalSeconds,7:0.0}s  {second.Phase}: {Units.Count((ulong)second.Sent)} sent, {Units.Count((ulong)second.Answered)} answered{errors}{latency}; gap {Units.Time(second.LongestGap)}"));
        surroundings.Out.Flush();
    }
}
