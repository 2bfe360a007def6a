using System.Threading.Channels;
using TwinKernel.Fleet.Cli.Verbs;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Watching;

/// <summary>One object per state and line; trouble goes to the standard error.</summary>
internal sealed class JsonDisplay(Verb verb) : IWatchDisplay
{
    public async Task ShowAsync(ChannelReader<WatchEvent> events, IReadOnlyList<Upgrade> upgrades)
    {
        await foreach (var (state, trouble) in events.ReadAllAsync())
        {
            if (state is not null)
            {
                verb.PrintJson(state);
            }
            else
            {
                await verb.Surroundings.Error.WriteLineAsync(trouble);
            }
        }
    }
}
