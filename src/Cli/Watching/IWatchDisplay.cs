using System.Threading.Channels;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Watching;

/// <summary>Shows a watch while it lasts: for a person at a terminal, in a pipe, or for a program.</summary>
internal interface IWatchDisplay
{
    /// <summary>Shows events until there are no more.</summary>
    Task ShowAsync(ChannelReader<WatchEvent> events, IReadOnlyList<Upgrade> upgrades);
}
