using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Simulator.Journal;

/// <summary>What a line of the journal tells.</summary>
internal enum JournalWord
{
    /// <summary>The simulator begins a run.</summary>
    Started = 1,

    /// <summary>A command came, perhaps not for the first time.</summary>
    Received = 2,

    /// <summary>The command just received is not carried out.</summary>
    Refused = 3,

    /// <summary>An agent takes a command on.</summary>
    Accepted = 4,

    /// <summary>An agent begins to carry it out, or goes on with it in a later run.</summary>
    Began = 5,

    /// <summary>The machine is another one now: <see cref="JournalLine.Kernels"/>.</summary>
    Changed = 6,

    /// <summary>The step has a result.</summary>
    Finished = 7,

    /// <summary>The broker has the result.</summary>
    Published = 8,
}

/// <summary>Which kernels a machine has.</summary>
/// <param name="ImageA">Digest of the image whose kernel the machine belongs to.</param>
/// <param name="BootA">Its boot id.</param>
/// <param name="ImageB">The kernel beside it; null: there is none.</param>
/// <param name="BootB">Its boot id.</param>
/// <param name="Parked">A is parked and B serves.</param>
/// <param name="Commits">How often a commit gave the machine to a new kernel.</param>
internal sealed record MachineKernels(string ImageA, string BootA, string? ImageB, string? BootB, bool Parked, int Commits);

/// <summary>One thing that happened on a host.</summary>
internal sealed record JournalLine
{
    /// <summary>The machine's monotonic clock, nanoseconds: the same for every run since the machine was booted.</summary>
    public long At { get; init; }
    public required JournalWord Word { get; init; }
    public string? Host { get; init; }
    public string? Guest { get; init; }
    public Guid? Upgrade { get; init; }
    public long? Epoch { get; init; }
    public UpgradeStep? Step { get; init; }

    /// <summary>Which try of the step, from 1.</summary>
    public int? Attempt { get; init; }

    /// <summary>Of <see cref="JournalWord.Accepted"/>.</summary>
    public ExecuteStep? Command { get; init; }

    /// <summary>Of <see cref="JournalWord.Finished"/>: one of this and <see cref="Failed"/>.</summary>
    public StepCompleted? Completed { get; init; }
    public StepFailed? Failed { get; init; }

    /// <summary>Of <see cref="JournalWord.Changed"/>.</summary>
    public MachineKernels? Kernels { get; init; }

    public static JournalLine Of(JournalWord word, ExecuteStep command) => new()
    {
        Word = word,
        Host = command.Host,
        Guest = command.Guest,
        Upgrade = command.UpgradeId,
        Epoch = command.Epoch,
        Step = command.Step,
    };
}
