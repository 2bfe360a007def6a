using System.Globalization;
using System.Threading.Channels;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Watching;

/// <summary>A line for everything that changes, with the time since the watch began.</summary>
internal sealed class PlainDisplay(Surroundings surroundings) : IWatchDisplay
{
    private readonly long begin = surroundings.Time.GetTimestamp();
    private readonly HashSet<string> said = [];

    public async Task ShowAsync(ChannelReader<WatchEvent> events, IReadOnlyList<Upgrade> upgrades)
    {
        foreach (var upgrade in upgrades)
        {
            Say($"{upgrade.Guest}: upgrade {upgrade.Id} to {upgrade.ImageName}");
        }

        await foreach (var (state, trouble) in events.ReadAllAsync())
        {
            if (state is null)
            {
                Say(trouble!);
            }
            else
            {
                Show(state);
            }

            await surroundings.Out.FlushAsync();
        }
    }

    private void Show(Upgrade upgrade)
    {
        foreach (var step in upgrade.Steps)
        {
            SayOnce(upgrade, $"{step.Step} begins");
            if (step.State != "Running")
            {
                SayOnce(upgrade, $"{step.Step} {step.State.ToLowerInvariant()}{(step.Duration is { } took ? $" after {Units.Time(took)}" : "")}");
            }
        }

        if (upgrade.Progress.Length > 0 && !upgrade.Ended)
        {
            SayOnce(upgrade, $"{upgrade.State}: {upgrade.Progress}");
        }

        if (upgrade.Ended)
        {
            SayOnce(upgrade, upgrade.State);
        }
    }

    private void SayOnce(Upgrade upgrade, string text)
    {
        if (said.Add($"{upgrade.Id} {text}"))
        {
            Say($"{upgrade.Guest}: {text}");
        }
    }

    private void Say(string text) =>
        surroundings.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{surroundings.Time.GetElapsedTime(begin).TotalSeconds,7:0.0}s  {text}"));
}
