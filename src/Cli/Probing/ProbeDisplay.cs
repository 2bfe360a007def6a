using System.Globalization;
using System.Threading.Channels;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Probe;

namespace TwinKernel.Fleet.Cli.Probing;

/// <summary>A line for every second while a probe runs; none for a program.</summary>
internal sealed class ProbeDisplay(Surroundings surroundings, bool json)
{
    /// <summary>Runs a probe that is given what takes its seconds.</summary>
    public async Task<ProbeReport> ShowAsync(ProbeSettings settings, Func<Action<ProbeSecond>?, Task<ProbeReport>> run)
    {
        if (json)
        {
            return await run(null);
        }

        var seconds = Channel.CreateUnbounded<ProbeSecond>(new UnboundedChannelOptions { SingleReader = true });
        var shown = PrintAsync(settings, seconds.Reader);
        try
        {
            return await run(second => seconds.Writer.TryWrite(second));
        }
        finally
        {
            seconds.Writer.Complete();
            await shown;
        }
    }

    private async Task PrintAsync(ProbeSettings settings, ChannelReader<ProbeSecond> seconds)
    {
        var output = surroundings.Out;
        await output.WriteLineAsync($"{settings.Service}: a request each {Units.Time(settings.Interval)}, deadline {Units.Time(settings.Timeout)}");
        await foreach (var second in seconds.ReadAllAsync())
        {
            var errors = second.Unanswered + second.Errors == 0 ? "" : $", {Units.Count((ulong)second.Unanswered)} unanswered, {Units.Count((ulong)second.Errors)} errors";
            var latency = second.Answered == 0 ? "" : $"; p50 {Units.Time(second.P50)}, p99 {Units.Time(second.P99)}, max {Units.Time(second.Max)}";
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"{second.At.TotalSeconds,7:0.0}s  {second.Phase}: {Units.Count((ulong)second.Sent)} sent, {Units.Count((ulong)second.Answered)} answered{errors}{latency}; gap {Units.Time(second.LongestGap)}"));
            await output.FlushAsync();
        }
    }
}
