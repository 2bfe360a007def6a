using System.Threading.Channels;
using Grpc.Core;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Cli.Verbs;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Watching;

/// <summary>Follows upgrades to their end, shows them on the way, and reports on them afterwards.</summary>
internal sealed class WatchSession
{
    private readonly Verb verb;
    private readonly Dictionary<string, Upgrade> latest;
    private readonly Dictionary<string, string> unreachable = [];
    private readonly Lock gate = new();

    private WatchSession(Verb verb, IEnumerable<Upgrade> upgrades)
    {
        this.verb = verb;
        latest = upgrades.ToDictionary(upgrade => upgrade.Id);
    }

    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(Verb verb, IEnumerable<Upgrade> upgrades) => await new WatchSession(verb, upgrades).RunAsync();

    private async Task<int> RunAsync()
    {
        using var patience = new CancellationTokenSource(verb.Timeout ?? Verb.WatchTimeout, verb.Surroundings.Time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(verb.Cancellation, patience.Token);
        var events = Channel.CreateUnbounded<WatchEvent>(new UnboundedChannelOptions { SingleReader = true });
        try
        {
            var shown = Display().ShowAsync(events.Reader, [.. latest.Values]);
            try
            {
                await FollowAllAsync(events.Writer, stop);
            }
            finally
            {
                // The display ends, and leaves the terminal as it was, before anything else is printed.
                events.Writer.Complete();
                await shown;
            }
        }
        catch (OperationCanceledException) when (verb.Cancellation.IsCancellationRequested || patience.IsCancellationRequested)
        {
            return Leave(verb.Cancellation.IsCancellationRequested);
        }

        return Report();
    }

    private IWatchDisplay Display() =>
        verb.Json ? new JsonDisplay(verb)
        : verb.Surroundings.OnTerminal ? new LiveDisplay(verb.Surroundings)
        : new PlainDisplay(verb.Surroundings);

    private async Task FollowAllAsync(ChannelWriter<WatchEvent> events, CancellationTokenSource stop)
    {
        var stream = new UpgradeStream(verb.Connection.Client, verb.Surroundings.Time);
        RpcException? refusal = null;
        var following = Task.WhenAll(latest.Keys.Select(async id =>
        {
            try
            {
                await foreach (var upgrade in stream.ReadAsync(id, (why, pause) => Lost(id, why, pause, events), stop.Token))
                {
                    lock (gate)
                    {
                        latest[id] = upgrade;
                        unreachable.Remove(id);
                    }

                    events.TryWrite(new WatchEvent(upgrade, null));
                }
            }
            catch (RpcException e)
            {
                // One refusal ends the watch of all: the command's result is known.
                refusal = e;
                await stop.CancelAsync();
            }
        }));
        try
        {
            await following;
        }
        catch (OperationCanceledException) when (refusal is not null)
        {
        }

        if (refusal is not null)
        {
            throw refusal;
        }
    }

    private void Lost(string id, Status why, TimeSpan pause, ChannelWriter<WatchEvent> events)
    {
        lock (gate)
        {
            unreachable[id] = why.Detail;
        }

        events.TryWrite(new WatchEvent(null, $"The coordinator is out of reach ({why.StatusCode}); the upgrade goes on without it. Next try in {Units.Time(pause)}."));
    }

    private int Leave(bool interrupted)
    {
        var error = verb.Surroundings.Error;
        var open = latest.Values.Where(upgrade => !upgrade.Ended).ToList();
        foreach (var upgrade in open)
        {
            error.WriteLine($"{(interrupted ? "No longer watching" : "Gave up watching")}: upgrade {upgrade.Id} of guest {upgrade.Guest} goes on (last seen in {upgrade.State}).");
        }

        error.WriteLine($"Next: twinfleet upgrade watch {(open.Count == 1 ? open[0].Id : "ID")}");
        return interrupted ? ExitCode.Interrupted
            : unreachable.Count > 0 ? ExitCode.Unreachable
            : ExitCode.TimedOut;
    }

    private int Report()
    {
        var upgrades = latest.Values.OrderBy(upgrade => upgrade.Guest, StringComparer.Ordinal).ToList();
        if (!verb.Json)
        {
            var report = new UpgradeReport(verb.Surroundings);
            foreach (var upgrade in upgrades)
            {
                report.Print(upgrade);
            }
        }

        return upgrades.TrueForAll(upgrade => upgrade.Succeeded) ? ExitCode.Done : ExitCode.UpgradeFailed;
    }
}
