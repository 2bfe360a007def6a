using System.Collections.Concurrent;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Simulator.Journal;

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
/// <param name="journal">Where it is kept when the simulator ends.</param>
internal sealed class HostDisk(FleetJournal journal)
{
    private readonly ConcurrentDictionary<(Guid Upgrade, UpgradeStep Step), JournalledStep> _steps = [];
    private readonly Dictionary<string, (long Epoch, Guid Upgrade)> _epochs = [];

    public IReadOnlyCollection<JournalledStep> Steps => [.. _steps.Values.OrderBy(step => step.AcceptedAt)];

    public JournalledStep? Find(Guid upgrade, UpgradeStep step) => _steps.GetValueOrDefault((upgrade, step));

    public JournalledStep Accept(ExecuteStep command)
    {
        int attempt = (Find(command.UpgradeId, command.Step)?.Attempt ?? 0) + 1;
        return Keep(command, journal.Write(JournalLine.Of(JournalWord.Accepted, command) with { Attempt = attempt, Command = command }), attempt);
    }

    public void Finish(JournalledStep step, StepCompleted? completed, StepFailed? failed)
    {
        step.FinishedAt = journal.Write(Line(JournalWord.Finished, step) with { Completed = completed, Failed = failed });
        (step.Completed, step.Failed) = (completed, failed);
    }

    public void Publish(JournalledStep step)
    {
        journal.Write(Line(JournalWord.Published, step));
        step.Published = true;
    }

    public void Note(JournalWord word, JournalledStep step) => journal.Write(Line(word, step));

    public void Note(JournalWord word, ExecuteStep command, StepFailed? failed = null) => journal.Write(JournalLine.Of(word, command) with { Failed = failed });

    /// <summary>The newest epoch when a command must not be carried out any more: an epoch belongs to one upgrade. Null: it may.</summary>
    public long? NewerThan(ExecuteStep command) =>
        _epochs.TryGetValue(command.Guest, out (long Epoch, Guid Upgrade) seen)
        && (command.Epoch < seen.Epoch || (command.Epoch == seen.Epoch && command.UpgradeId != seen.Upgrade)) ? seen.Epoch : null;

    /// <summary>Takes in what an earlier run has left.</summary>
    public void Restore(JournalLine line)
    {
        if (line is { Word: JournalWord.Accepted, Command: { } command })
        {
            Keep(command, line.At, line.Attempt!.Value);
        }
        else if (line is { Word: JournalWord.Finished or JournalWord.Published, Upgrade: { } upgrade, Step: { } which } && Find(upgrade, which) is { } step)
        {
            if (line.Word == JournalWord.Finished)
            {
                (step.Completed, step.Failed, step.FinishedAt) = (line.Completed, line.Failed, line.At);
            }
            else
            {
                step.Published = true;
            }
        }
    }

    private JournalledStep Keep(ExecuteStep command, long at, int attempt)
    {
        _epochs[command.Guest] = (command.Epoch, command.UpgradeId);
        return _steps[(command.UpgradeId, command.Step)] = new JournalledStep(command, at, attempt);
    }

    private static JournalLine Line(JournalWord word, JournalledStep step) => JournalLine.Of(word, step.Command) with { Attempt = step.Attempt };
}
