using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

/// <summary>Follows a rollout to its end: a line for everything that changes, with the time since the watch began.</summary>
internal static class RolloutWatch
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public static Command Create(VerbFactory verb)
    {
        var rollout = RolloutControl.Rollout();
        var command = verb.Create("watch", "Follows a rollout to its end", RolloutControl.LookUp, async run =>
            await FollowAsync(run, await run.Connection.Client.GetRolloutAsync(new GetRolloutRequest { Rollout = run.Arguments.GetValue(rollout) }, run.Call())));
        command.Arguments.Add(rollout);
        return command;
    }

    /// <returns>The exit code.</returns>
    public static async Task<int> FollowAsync(Verb run, Rollout rollout)
    {
        using var patience = new CancellationTokenSource(run.Timeout ?? Verb.WatchTimeout, run.Surroundings.Time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(run.Cancellation, patience.Token);
        var begin = run.Surroundings.Time.GetTimestamp();
        var said = new HashSet<string>();
        var reachable = true;
        try
        {
            while (!rollout.Ended)
            {
                try
                {
                    using var call = run.Connection.Client.WatchRollout(new GetRolloutRequest { Rollout = rollout.Id }, cancellationToken: stop.Token);
                    while (await call.ResponseStream.MoveNext(stop.Token))
                    {
                        reachable = true;
                        rollout = call.ResponseStream.Current;
                        Show(rollout);
                    }
                }
                catch (RpcException e) when (!stop.IsCancellationRequested && e.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.Internal or StatusCode.Unknown)
                {
                    reachable = false;
                    await run.Surroundings.Error.WriteLineAsync($"The coordinator is out of reach ({e.StatusCode}); the rollout goes on without it.");
                    await Task.Delay(Pause, run.Surroundings.Time, stop.Token);
                }
            }
        }
        catch (Exception e) when (stop.IsCancellationRequested && e is OperationCanceledException or RpcException)
        {
            await run.Surroundings.Error.WriteLineAsync($"{(run.Cancellation.IsCancellationRequested ? "No longer watching" : "Gave up watching")}: rollout {rollout.Name} goes on (last seen {rollout.State}).");
            await run.Surroundings.Error.WriteLineAsync($"Next: twinfleet rollout watch {rollout.Name}");
            return run.Cancellation.IsCancellationRequested ? ExitCode.Interrupted : reachable ? ExitCode.TimedOut : ExitCode.Unreachable;
        }

        Show(rollout);
        if (!run.Json)
        {
            new RolloutReport(run.Surroundings).Print(rollout);
        }

        return rollout.Succeeded ? ExitCode.Done : ExitCode.UpgradeFailed;

        void Show(Rollout seen)
        {
            if (run.Json)
            {
                if (said.Add(seen.ToString()))
                {
                    run.PrintJson(seen);
                }

                return;
            }

            Say($"{seen.State}{(seen.Wave > 0 ? $", wave {seen.Wave} of {seen.Waves.Count}" : "")}{(seen.Reason.Length > 0 ? $": {seen.Reason}" : "")}");
            foreach (var member in seen.Members.Where(member => member.State != "Waiting"))
            {
                Say($"{member.Host}/{member.Guest}: {member.State}{(member.Attempt > 1 ? $" (attempt {member.Attempt})" : "")}");
            }

            run.Surroundings.Out.Flush();
        }

        void Say(string text)
        {
            if (said.Add(text))
            {
                run.Surroundings.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{run.Surroundings.Time.GetElapsedTime(begin).TotalSeconds,7:0.0}s  {text}"));
            }
        }
    }
}
