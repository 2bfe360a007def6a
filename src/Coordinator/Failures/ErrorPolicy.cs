using TwinKernel.Fleet.Coordinator.Guests;

namespace TwinKernel.Fleet.Coordinator.Failures;

/// <summary>What happens when failures reach a threshold; each member is severer than those before it.</summary>
public enum FailureAction
{
    /// <summary>Go on: the error budget is not used up.</summary>
    None = 0,

    /// <summary>The guests that failed after their commit go back to the image they came from; the rollout goes on.</summary>
    RollBackGuest = 1,

    /// <summary>Nothing new starts, what runs finishes; a person resumes or ends it.</summary>
    Pause = 2,

    /// <summary>The rollout ends as failed: nothing new starts, what has not committed goes back to its kernel A.</summary>
    Stop = 3,

    /// <summary>As <see cref="Stop"/>, and the guests that this wave committed go back to the image they came from.</summary>
    RollBackWave = 4,

    /// <summary>As <see cref="RollBackWave"/>, of all waves.</summary>
    RollBackRollout = 5,
}

/// <summary>What a threshold counts in a wave. A guest counts as failed once its retries are used up.</summary>
public enum FailureMeasure
{
    /// <summary>Failed guests.</summary>
    Count = 1,

    /// <summary>Failed guests in percent of the wave's guests.</summary>
    Percent = 2,

    /// <summary>Failed guests one after the other, in the order in which they ended, without a success between.</summary>
    Consecutive = 3,
}

/// <summary>The action is due when the measure is at or above <paramref name="Value"/>: 1 or more, and at most 100 for percent.</summary>
public sealed record FailureThreshold(FailureMeasure Measure, int Value, FailureAction Action);

/// <summary>What counts as too much failure in a wave. The default: the first guest that fails for good pauses the rollout.</summary>
public sealed record ErrorPolicy
{
    public static readonly ErrorPolicy Default = new();

    public IReadOnlyList<FailureThreshold> Thresholds { get; init; } = [new(FailureMeasure.Count, 1, FailureAction.Pause)];

    /// <summary>What a gate after the wave that is stopped leads to.</summary>
    public FailureAction OnGateStopped { get; init; } = FailureAction.Pause;
    public RetryPolicy Retry { get; init; } = RetryPolicy.Default;

    /// <summary>What is to be done about a wave, now.</summary>
    public FailureDecision Decide(WaveProgress progress)
    {
        int failed = progress.Ended.Count(end => !end.Succeeded);
        int consecutive = 0, most = 0;
        foreach (GuestEnd end in progress.Ended)
        {
            consecutive = end.Succeeded ? 0 : consecutive + 1;
            most = Math.Max(most, consecutive);
        }

        FailureThreshold? severest = Thresholds
            .Where(threshold => threshold.Measure switch
            {
                FailureMeasure.Count => failed >= threshold.Value,
                FailureMeasure.Percent => failed > 0 && failed * 100L >= (long)threshold.Value * progress.Guests,
                _ => most >= threshold.Value,
            })
            .MaxBy(threshold => threshold.Action);
        return severest is null ? new FailureDecision(FailureAction.None, "") : new FailureDecision(severest.Action, severest.Measure switch
        {
            FailureMeasure.Count => $"{failed} of the wave's {progress.Guests} guests failed; {severest.Value} are too many.",
            FailureMeasure.Percent => $"{failed} of the wave's {progress.Guests} guests failed; {severest.Value}% are too many.",
            _ => $"{most} guests failed one after the other; {severest.Value} are too many.",
        });
    }
}

/// <summary>
/// How the upgrades of a wave of <paramref name="Guests"/> guests, blocked and skipped ones included, ended. <paramref name="Ended"/> has
/// those that ended for good, in the order in which they did: a guest that will be tried again is not among them.
/// </summary>
public sealed record WaveProgress(int Guests, IReadOnlyList<GuestEnd> Ended);

public sealed record GuestEnd(GuestId Guest, bool Succeeded);

/// <summary>
/// The severest action whose threshold is reached. <paramref name="Why"/> is one sentence with the count and the threshold; empty for
/// <see cref="FailureAction.None"/>.
/// </summary>
public sealed record FailureDecision(FailureAction Action, string Why);
