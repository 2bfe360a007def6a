using System.CommandLine;
using TwinKernel.Fleet.Cli.Verbs;
using TwinKernel.Fleet.Probe;

namespace TwinKernel.Fleet.Cli.Probing;

/// <summary><c>twinfleet probe</c>: asks a service at a fixed rate and reports what its callers notice.</summary>
internal static class ProbeService
{
    private static readonly TimeSpan DefaultAfter = TimeSpan.FromSeconds(5);

    public static Command Create(VerbFactory verb, CommonOptions common)
    {
        var options = new ProbeOptions(common);
        var command = verb.Create("probe", "Asks a service at a fixed rate, and reports gaps, errors and latencies", "twinfleet upgrade list and twinfleet guests list show what there is", run => RunAsync(run, options));
        options.AddTo(command);
        return command;
    }

    private static async Task<int> RunAsync(Verb run, ProbeOptions options)
    {
        StreamWriter? record = null;
        try
        {
            record = run.Arguments.GetValue(options.Record) is { } file ? new StreamWriter(file) : null;
            var settings = options.Settings(run, record);
            var probe = new ProbeRun(settings);
            using var ending = new CancellationTokenSource();
            using var stopOnCancel = run.Cancellation.Register(probe.Stop);
            using var marks = PhaseMarks.Open(probe, run.Arguments.GetValue(options.MarkFile), run.Arguments.GetValue(options.MarkStdin), ending.Token);
            var upgrade = run.Arguments.GetValue(options.Upgrade) is { } watched
                ? await UpgradePhases.FollowAsync(run, watched, probe, run.Arguments.GetValue(options.After) ?? DefaultAfter, run.Arguments.GetValue(options.BySteps), ending.Token)
                : Task.CompletedTask;
            var report = await probe.RunAsync(run.Json ? null : new ProbeDisplay(run.Surroundings, settings).Show);
            await ending.CancelAsync();
            await upgrade;
            if (run.Json)
            {
                await run.Surroundings.Out.WriteLineAsync(report.ToJson());
            }
            else
            {
                ProbeText.Print(run.Surroundings, report);
            }

            return report.Writes is { } writes && settings.VerifyWrites && (writes.Lost > 0 || !writes.Verified) ? ExitCode.WritesLost
                : report.Total.Answered == 0 ? ExitCode.Unreachable
                : ExitCode.Done;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ProbeException)
        {
            await run.Surroundings.Error.WriteLineAsync($"error: {e.Message}");
            await run.Surroundings.Error.WriteLineAsync("Next: correct the command line; twinfleet probe --help");
            return ExitCode.Usage;
        }
        finally
        {
            if (record is not null)
            {
                await record.DisposeAsync();
            }
        }
    }
}
