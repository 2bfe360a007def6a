using System.Collections.Immutable;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Journal;

/// <summary>What the journal knows of the newest upgrade: an immutable picture, so that a status never waits for a step.</summary>
public sealed record UpgradeRecord
{
    public required string UpgradeId { get; init; }

    /// <summary>The newest epoch seen for this upgrade.</summary>
    public required ulong Epoch { get; init; }

    /// <summary>Newest entry of each step, in the order in which the steps were first begun.</summary>
    public ImmutableList<StepEntry> Steps { get; init; } = [];

    /// <summary>What was taken from this kernel and has not been returned, in the order in which it was taken: it goes back in reverse.</summary>
    public ImmutableList<uint> Cpus { get; init; } = [];
    public ImmutableList<TakenBlock> Blocks { get; init; } = [];
    public ImmutableList<TakenFunction> Functions { get; init; } = [];

    public StepEntry? Find(Wire.Step step) => Steps.Find(entry => entry.Step == step);

    public bool Succeeded(Wire.Step step) => Find(step)?.State == Wire.StepState.Succeeded;

    /// <summary>How the upgrade goes about it, as its preflight recorded it.</summary>
    public Wire.Strategy Strategy => Find(Wire.Step.Preflight)?.Facts.GetValueOrDefault("strategy") == nameof(Wire.Strategy.Kexec) ? Wire.Strategy.Kexec : Wire.Strategy.Twin;

    /// <summary>Committed or rolled back: nothing of it is left to do or to undo.</summary>
    public bool Closed => Succeeded(Wire.Step.Commit) || Succeeded(Wire.Step.RollBack);

    /// <summary>It has taken, or may have taken, something of this guest.</summary>
    public bool Active => !Closed && (Steps.Exists(entry => entry.Step is not (Wire.Step.Preflight or Wire.Step.RollBack)) || Cpus.Count + Blocks.Count + Functions.Count > 0);

    internal UpgradeRecord With(JournalEntry entry)
    {
        UpgradeRecord next = this with { Epoch = Math.Max(Epoch, entry.Epoch) };
        if (entry.Step is { } step)
        {
            int index = Steps.FindIndex(known => known.Step == step.Step);
            next = next with { Steps = index < 0 ? Steps.Add(step) : Steps.SetItem(index, step) };
        }

        return next with
        {
            Cpus = entry.TakesCpu is { } cpu && !Cpus.Contains(cpu) ? Cpus.Add(cpu) : Cpus.RemoveAll(known => known == entry.ReturnsCpu),
            Blocks = entry.TakesBlock is { } block && !Blocks.Exists(known => known.Number == block.Number)
                ? Blocks.Add(block)
                : Blocks.RemoveAll(known => known.Number == entry.ReturnsBlock),
            Functions = entry.TakesFunction is { } function && !Functions.Exists(known => known.Function == function.Function)
                ? Functions.Add(function)
                : Functions.RemoveAll(known => known.Function == entry.ReturnsFunction),
        };
    }
}
