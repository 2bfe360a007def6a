namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>
/// Coordinator to host agent, sent to the host's own queue (<see cref="QueueNames.Host"/>): carry out one step.
/// Idempotent under (<see cref="UpgradeId"/>, <see cref="Step"/>): an agent that has done the step answers with the recorded result.
/// </summary>
public sealed record ExecuteStep
{
    /// <summary>The upgrade: one attempt on one guest.</summary>
    public required Guid UpgradeId { get; init; }

    /// <summary>Name of the host the command is for.</summary>
    public required string Host { get; init; }

    /// <summary>Name of the guest on that host.</summary>
    public required string Guest { get; init; }

    /// <summary>Fencing token of the guest: grows with every upgrade of it. An agent refuses one older than the newest it has seen.</summary>
    public required long Epoch { get; init; }

    /// <summary>The step to carry out.</summary>
    public required UpgradeStep Step { get; init; }

    /// <summary>Digest of the image's manifest, <c>sha256:</c> and 64 lower-case hex digits.</summary>
    public required string ImageDigest { get; init; }

    /// <summary>How long the step may take once it was accepted.</summary>
    public required TimeSpan Deadline { get; init; }

    /// <summary>How the guest is upgraded. <see cref="UpgradeStrategy.Auto"/> in <see cref="UpgradeStep.Preflight"/> only, which chooses.</summary>
    public UpgradeStrategy Strategy { get; init; } = UpgradeStrategy.Twin;

    /// <summary>What a panic of kernel A means while kernel B stands by; only a twin has one that does.</summary>
    public PanicPolicy OnPanic { get; init; }

    /// <summary><see cref="UpgradeStep.Load"/> fails unless kernel A's own check calls the image's signature valid.</summary>
    public bool RequireSignature { get; init; }

    /// <summary>After this moment the command must not be started any more (the coordinator has given up on it).</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>Host agent to coordinator: the command is journalled and the step begins. Sent at once; no consumer holds a message for a long job.</summary>
public sealed record StepAccepted
{
    public required Guid UpgradeId { get; init; }
    public required string Host { get; init; }
    public required long Epoch { get; init; }
    public required UpgradeStep Step { get; init; }
}

/// <summary>Host agent to coordinator: the step is alive. For people; nothing is decided on it.</summary>
public sealed record StepProgressed
{
    public required Guid UpgradeId { get; init; }
    public required string Host { get; init; }
    public required long Epoch { get; init; }
    public required UpgradeStep Step { get; init; }

    /// <summary>One line for the operator.</summary>
    public required string Message { get; init; }
}

/// <summary>Host agent to coordinator: the step succeeded.</summary>
public sealed record StepCompleted
{
    public required Guid UpgradeId { get; init; }
    public required string Host { get; init; }
    public required long Epoch { get; init; }
    public required UpgradeStep Step { get; init; }

    /// <summary>The whole step and its parts; the whole comes first, on the host agent's monotonic clock.</summary>
    public required IReadOnlyList<StepTiming> Timings { get; init; }

    /// <summary>What the guest reported after the step; absent when it was not asked.</summary>
    public GuestObservation? Guest { get; init; }

    /// <summary>What the observer saw so far; present from <see cref="UpgradeStep.CutOver"/> on.</summary>
    public ObservedOutage? Outage { get; init; }

    /// <summary>Of <see cref="UpgradeStep.Preflight"/>: the strategy that the upgrade takes. Absent: a twin, from an agent that knows no other.</summary>
    public UpgradeStrategy? Strategy { get; init; }

    /// <summary>Of <see cref="UpgradeStep.Preflight"/>: why not an earlier strategy; absent when there is none or it was not asked for.</summary>
    public string? StrategyReason { get; init; }

    /// <summary>Of <see cref="UpgradeStep.Load"/>: <c>valid</c>, <c>unsigned</c>, <c>untrusted</c>, <c>invalid</c> or <c>unavailable: why</c>, as kernel A's own check of the image says.</summary>
    public string? Signature { get; init; }
}

/// <summary>Host agent to coordinator: the step failed. What the agent observes of the guest wins over what anyone believes.</summary>
public sealed record StepFailed
{
    public required Guid UpgradeId { get; init; }
    public required string Host { get; init; }
    public required long Epoch { get; init; }
    public required UpgradeStep Step { get; init; }
    public required UpgradeFailure Failure { get; init; }

    /// <summary>One sentence that names what was seen and, where there is something to do, what to do.</summary>
    public required string Reason { get; init; }

    /// <summary>The parts that were timed before it failed.</summary>
    public required IReadOnlyList<StepTiming> Timings { get; init; }

    /// <summary>What the guest reported after the failure; absent when it does not answer.</summary>
    public GuestObservation? Guest { get; init; }

    /// <summary>What the observer saw so far; absent when it was not running.</summary>
    public ObservedOutage? Outage { get; init; }
}

/// <summary>A duration and the one clock it was measured with. Those of different clocks are never compared.</summary>
public sealed record StepTiming
{
    /// <summary>Dotted, the step first: <c>load</c>, <c>load.stream</c>.</summary>
    public required string Name { get; init; }

    /// <summary><c>host:&lt;name&gt;</c> or <c>guest:&lt;boot id&gt;</c>.</summary>
    public required string Clock { get; init; }

    /// <summary>Nanoseconds, zero or more.</summary>
    public required long Nanoseconds { get; init; }
}

/// <summary>A guest as its agent described itself.</summary>
public sealed record GuestObservation
{
    /// <summary>When the guest said so, on the host's wall clock: of two observations of a guest the later one counts.</summary>
    public required DateTimeOffset ObservedAt { get; init; }
    public required string KernelRelease { get; init; }
    public required string BootId { get; init; }
    public required bool HasParent { get; init; }
    public required int CpusOnline { get; init; }
    public required int CpusPresent { get; init; }

    /// <summary>MemTotal, bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>RAM of the machine above 1 MiB, bytes.</summary>
    public required long MachineMemoryBytes { get; init; }

    /// <summary>The part of it that this kernel owns, bytes.</summary>
    public required long MachineMemoryOwnedBytes { get; init; }
}

/// <summary>Downtime as an observer outside the guest saw it, on the host's monotonic clock.</summary>
public sealed record ObservedOutage
{
    /// <summary>The longest time between the sends of an answered probe and the next answered one.</summary>
    public required TimeSpan LongestGap { get; init; }

    /// <summary>Probes sent.</summary>
    public required long Sent { get; init; }

    /// <summary>Probes answered.</summary>
    public required long Answered { get; init; }

    /// <summary>Time between two probes, as asked.</summary>
    public required TimeSpan Interval { get; init; }

    /// <summary>True when the observer was restarted on the way: a longer gap may have been missed.</summary>
    public required bool Interrupted { get; init; }
}
