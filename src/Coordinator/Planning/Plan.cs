using NodaTime;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>Why a guest would not be upgraded.</summary>
public enum BlockerKind
{
    ImageDenied = 1,
    ImageNotProven = 2,

    /// <summary>Nothing is to be done: the guest runs the image.</summary>
    AlreadyOnImage = 3,

    /// <summary>The image's kernel is older than the running one.</summary>
    Downgrade = 4,
    InQuarantine = 5,

    /// <summary>A twin needs a CPU for kernel B, and the guest has one in all; strategy auto would fall back.</summary>
    OneCpu = 6,

    /// <summary>Its predicted duration and roll-back are longer than any opening of the windows within the horizon.</summary>
    NeverFits = 7,

    /// <summary>Limits that would not let it in when all others have ended. Passing when guests that become healthy would change that.</summary>
    LimitsNeverAdmit = 8,

    /// <summary>Another active rollout or upgrade holds the guest.</summary>
    HeldByAnother = 9,
    HostOffline = 10,
    GuestNotRunning = 11,
    ImageNotOnHost = 12,
}

/// <summary>
/// One reason why a guest would not be upgraded, with one sentence. <paramref name="Passing"/>: it may go away by itself while the rollout
/// runs; only those that do not are part of the plan's hash.
/// </summary>
public sealed record Blocker(BlockerKind Kind, string Message, bool Passing);

/// <summary>A guest in its wave.</summary>
public sealed record PlannedGuest
{
    public required GuestId Id { get; init; }

    /// <summary>Empty: it will be upgraded. A blocked guest stays in its wave, and is looked at again when its turn comes.</summary>
    public required IReadOnlyList<Blocker> Blockers { get; init; }

    /// <summary>p95 of what was seen, see <see cref="DurationPrediction"/>, and the time of the gates inside the upgrade.</summary>
    public required Duration Predicted { get; init; }
    public required Duration PredictedRollback { get; init; }

    /// <summary>When it is expected to start and to end if all goes well and every promotion comes at once; null for a blocked one.</summary>
    public Instant? StartsAt { get; init; }
    public Instant? EndsAt { get; init; }
}

/// <summary>A wave with its guests, in the order in which they are offered for admission.</summary>
public sealed record PlannedWave
{
    /// <summary>From 0, the canary included.</summary>
    public required int Index { get; init; }
    public required bool IsCanary { get; init; }
    public required WaveRule Rule { get; init; }
    public required IReadOnlyList<PlannedGuest> Guests { get; init; }

    /// <summary>First start and last end, settle time and gates after the wave included; null when all of its guests are blocked.</summary>
    public Instant? StartsAt { get; init; }
    public Instant? EndsAt { get; init; }
}

/// <summary>What a rollout would do. Making it changed nothing.</summary>
public sealed record Plan
{
    public required string ImageDigest { get; init; }
    public required IReadOnlyList<PlannedWave> Waves { get; init; }

    /// <summary>When the last wave is expected to have ended; null when nothing would be upgraded.</summary>
    public required Instant? EndsAt { get; init; }

    /// <summary>Sentences for people: waves left out because nothing was left for them, manual promotions that the times leave out.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>
    /// <c>sha256:</c> and 64 hex digits over what will be done: image, the whole spec, the calendars it names, waves with their guests in
    /// order and the blockers that do not pass. Times, predictions, health, passing blockers and the fleet's own limits are left out.
    /// </summary>
    public required string Hash { get; init; }
}

/// <summary>A plan, or everything that is wrong with the request.</summary>
public sealed record PlanResult(Plan? Plan, IReadOnlyList<Violation> Violations);
