using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Watching;

/// <summary>What a watch shows: a new state of an upgrade, or that the coordinator is out of reach for now.</summary>
internal sealed record WatchEvent(Upgrade? State, string? Trouble);
