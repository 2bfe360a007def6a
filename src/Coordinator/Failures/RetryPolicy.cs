using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Failures;

/// <summary>How often, and when, a guest whose upgrade failed (and which is back on kernel A) is tried again before it is quarantined.</summary>
public sealed record RetryPolicy
{
    public const int MostAttempts = 20;
    public static readonly RetryPolicy Default = new();
    public static readonly Duration LongestBackoff = Duration.FromDays(7);

    /// <summary>The first time included: 1 to <see cref="MostAttempts"/>.</summary>
    public int Attempts { get; init; } = 2;

    /// <summary>Before the second attempt; doubles before each further one. 0 s to <see cref="LongestBackoff"/>.</summary>
    public Duration Backoff { get; init; } = Duration.FromMinutes(1);

    /// <summary>The longest wait, not below <see cref="Backoff"/>.</summary>
    public Duration BackoffLimit { get; init; } = Duration.FromHours(1);

    /// <summary>What becomes of a guest whose attempt number <paramref name="attempt"/> (from 1) failed at <paramref name="failedAt"/> for <paramref name="reason"/>.</summary>
    public RetryDecision Decide(int attempt, Instant failedAt, string reason)
    {
        if (attempt >= Attempts)
        {
            string tried = Attempts == 1 ? "once" : $"{attempt} times";
            return new RetryDecision(null, $"Tried {tried}, the last time: {reason}");
        }

        Duration wait = Backoff;
        for (int doubled = 1; doubled < attempt && wait < BackoffLimit; doubled++)
        {
            wait += wait;
        }

        return new RetryDecision(failedAt + Duration.Min(wait, BackoffLimit), null);
    }
}

/// <summary>Either <paramref name="RetryAt"/>, or the reason of the guest's quarantine: it counts as failed and is left alone until a person releases it.</summary>
public sealed record RetryDecision(Instant? RetryAt, string? QuarantineReason);
