namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>
/// Where an upgrade stands. From <see cref="Preflight"/> to <see cref="Commit"/> the state is the step that runs;
/// every one before <see cref="Commit"/> has a way back to kernel A.
/// </summary>
public enum UpgradeState
{
    /// <summary>The row exists; nothing was asked of the host yet.</summary>
    Admitted = 1,
    Preflight = 2,
    Reserve = 3,
    Load = 4,
    Boot = 5,
    Standby = 6,
    Transfer = 7,
    CutOver = 8,
    Probation = 9,

    /// <summary>There is no way back any more: a commit that fails is tried again.</summary>
    Commit = 10,

    /// <summary>Ended: kernel B owns the machine.</summary>
    Completed = 11,

    /// <summary>A step before the commit failed; kernel A is getting everything back.</summary>
    RollingBack = 12,

    /// <summary>Ended: kernel A serves as before.</summary>
    RolledBack = 13,

    /// <summary>Ended: neither kernel is known to serve; the reason says what was observed last.</summary>
    Failed = 14,

    /// <summary>Ended: kernel B serves, but does not own the whole machine, and no further attempt is made.</summary>
    CommitIncomplete = 15,
}

/// <summary>How far the attempt at the current step is.</summary>
public enum StepPhase
{
    /// <summary>No step runs: the upgrade was not started or has ended.</summary>
    None = 0,

    /// <summary>The command is on its way; the host has not accepted it.</summary>
    Commanded = 1,

    /// <summary>The host works on it.</summary>
    Accepted = 2,

    /// <summary>The attempt failed; the next one waits for its time.</summary>
    BackingOff = 3,

    /// <summary>The step is not commanded before the rollout's gates have passed.</summary>
    Gating = 4,
}
