using System.Threading.Channels;
using Spectre.Console;
using Spectre.Console.Rendering;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Watching;

/// <summary>Tables of steps whose running times go on, drawn anew in place and gone at the end.</summary>
internal sealed class LiveDisplay(Surroundings surroundings) : IWatchDisplay
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(200);
    private static readonly string[] Spinner = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠇"];

    private readonly Dictionary<(string Upgrade, string Step), long> begun = [];
    private readonly Dictionary<string, Upgrade> latest = [];
    private string? trouble;
    private int tick;

    public Task ShowAsync(ChannelReader<WatchEvent> events, IReadOnlyList<Upgrade> upgrades)
    {
        foreach (var upgrade in upgrades)
        {
            Take(upgrade);
        }

        return surroundings.Console.Live(Draw()).AutoClear(true).StartAsync(async live =>
        {
            var more = events.WaitToReadAsync().AsTask();
            while (true)
            {
                await Task.WhenAny(more, Task.Delay(Tick, surroundings.Time));
                if (more.IsCompleted)
                {
                    if (!await more)
                    {
                        return;
                    }

                    while (events.TryRead(out var happened))
                    {
                        trouble = happened.Trouble;
                        if (happened.State is not null)
                        {
                            Take(happened.State);
                        }
                    }

                    more = events.WaitToReadAsync().AsTask();
                }

                tick++;
                live.UpdateTarget(Draw());
            }
        });
    }

    private void Take(Upgrade upgrade)
    {
        latest[upgrade.Id] = upgrade;
        foreach (var step in upgrade.Steps.Where(step => step.State == "Running"))
        {
            // Times of two clocks are never subtracted: what runs is timed from when it was first seen here.
            begun.TryAdd((upgrade.Id, step.Step), surroundings.Time.GetTimestamp());
        }
    }

    private Rows Draw()
    {
        List<IRenderable> parts = [];
        foreach (var upgrade in latest.Values)
        {
            var listing = new Listing(onTerminal: true, "STEP", "STATE", "DURATION").AlignRight(2);
            listing.Table.Title = new TableTitle(Markup.Escape($"{upgrade.Guest} on {upgrade.Host} to {upgrade.ImageName}: {upgrade.State}"));
            foreach (var step in upgrade.Steps)
            {
                listing.Add(step.Step, step.State, Duration(upgrade, step));
            }

            parts.Add(listing.Table);
            var line = upgrade.Progress.Length > 0 ? upgrade.Progress : upgrade.WaitsFor;
            if (!upgrade.Ended && line.Length > 0)
            {
                parts.Add(new Text($"{Spinner[tick % Spinner.Length]} {line}"));
            }
        }

        if (trouble is not null)
        {
            parts.Add(new Text(trouble));
        }

        return new Rows(parts);
    }

    private string Duration(Upgrade upgrade, StepRow step) =>
        step.State != "Running" ? step.Duration is { } took ? Units.Time(took) : "-"
        : begun.TryGetValue((upgrade.Id, step.Step), out var since) ? $"{surroundings.Time.GetElapsedTime(since).TotalSeconds:0.0} s"
        : "-";
}
