using System.Collections.Concurrent;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Simulator.Hosts;

/// <summary>What the journal says of one step.</summary>
/// <param name="command">As it was taken on.</param>
/// <param name="acceptedAt">Monotonic.</param>
/// <param name="attempt">Which try of this step, from 1.</param>
internal sealed class JournalledStep(ExecuteStep command, long acceptedAt, int attempt)
{
    public ExecuteStep Command => command;

    public long AcceptedAt => acceptedAt;

    public int Attempt => attempt;

    /// <summary>One of this and <see cref="Failed"/> once it is finished.</summary>
    public StepCompleted? Completed { get; set; }

    public StepFailed? Failed { get; set; }

    /// <summary>Monotonic; before the result was published.</summary>
    public long FinishedAt { get; set; }

    public bool Published { get; set; }

    public bool IsFinished => Completed is not null || Failed is not null;
}

/// <summary>What a host keeps when its agent ends: the journal and the newest epochs. Used under the agent's lock, but for reading.</summary>
internal sealed class HostDisk
{
    private readonly ConcurrentDictionary<(Guid Upgrade, UpgradeStep Step), JournalledStep> _steps = [];
    private readonly Dictionary<string, (long Epoch, Guid Upgrade)> _epochs = [];

    public IReadOnlyCollection<JournalledStep> Steps => [.. _steps.Values.OrderBy(step => step.AcceptedAt)];

    public JournalledStep? Find(Guid upgrade, UpgradeStep step) => _steps.GetValueOrDefault((upgrade, step));

    public JournalledStep Accept(ExecuteStep command, long now)
    {
        JournalledStep step = new(command, now, (Find(command.UpgradeId, command.Step)?.Attempt ?? 0) + 1);
        _epochs[command.Guest] = (command.Epoch, command.UpgradeId);
        return _steps[(command.UpgradeId, command.Step)] = step;
    }

    /// <summary>The newest epoch when a command must not be carried out any more: an epoch belongs to one upgrade. Null: it may.</summary>
    public long? NewerThan(ExecuteStep command) =>
        _epochs.TryGetValue(command.Guest, out (long Epoch, Guid Upgrade) seen)
        && (command.Epoch < seen.Epoch || (command.Epoch == seen.Epoch && command.UpgradeId != seen.Upgrade)) ? seen.Epoch : null;
}
