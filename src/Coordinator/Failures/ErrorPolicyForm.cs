using NodaTime;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Failures;

/// <summary>An error policy as text and numbers: its JSON form. What is null has the default of <see cref="ErrorPolicy"/>.</summary>
public sealed record ErrorPolicyForm
{
    public IReadOnlyList<FailureThresholdForm>? Thresholds { get; init; }

    /// <summary><c>pause</c>, <c>stop</c>, <c>roll-back-wave</c>, <c>roll-back-rollout</c>.</summary>
    public string? OnGateStopped { get; init; }

    /// <summary>How often a guest is tried, the first time included: 1 to 20.</summary>
    public int? Attempts { get; init; }

    /// <summary>Wait before the second attempt, doubled before each further one: <c>1m</c>.</summary>
    public string? Backoff { get; init; }

    /// <summary>The longest wait: <c>1h</c>.</summary>
    public string? BackoffLimit { get; init; }

    public static ErrorPolicyForm Of(ErrorPolicy policy) => new()
    {
        Thresholds = [.. policy.Thresholds.Select(FailureThresholdForm.Of)],
        OnGateStopped = Choice.Text(policy.OnGateStopped),
        Attempts = policy.Retry.Attempts,
        Backoff = DurationText.Format(policy.Retry.Backoff),
        BackoffLimit = DurationText.Format(policy.Retry.BackoffLimit),
    };

    /// <summary>Null, and every error with its path (<c>FIELD.thresholds[0].percent</c>), when it is no policy.</summary>
    public ErrorPolicy? Read(string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        FailureThreshold[] thresholds =
            [.. Items.Read(Thresholds, $"{field}.thresholds", (form, path, all) => form.Read(path, all), violations).OfType<FailureThreshold>()];
        FailureAction? onGate = Choice.Read<FailureAction>(
            OnGateStopped, $"{field}.onGateStopped", ErrorPolicy.Default.OnGateStopped, violations, FailureAction.None, FailureAction.RollBackGuest);
        if (Attempts is < 1 or > RetryPolicy.MostAttempts)
        {
            violations.Add(new Violation($"{field}.attempts", $"{Attempts} is not 1 to {RetryPolicy.MostAttempts}."));
        }

        RetryPolicy plain = RetryPolicy.Default;
        Duration backoff = DurationText.Read(Backoff, $"{field}.backoff", plain.Backoff, Duration.Zero, RetryPolicy.LongestBackoff, violations);
        Duration limit = DurationText.Read(
            BackoffLimit, $"{field}.backoffLimit", Duration.Max(plain.BackoffLimit, backoff), backoff, RetryPolicy.LongestBackoff, violations);
        return violations.Count > before ? null : new ErrorPolicy
        {
            Thresholds = Thresholds is null ? ErrorPolicy.Default.Thresholds : thresholds,
            OnGateStopped = onGate!.Value,
            Retry = new RetryPolicy { Attempts = Attempts ?? plain.Attempts, Backoff = backoff, BackoffLimit = limit },
        };
    }
}

/// <summary>Exactly one of the three numbers, and an action.</summary>
public sealed record FailureThresholdForm
{
    public int? Count { get; init; }
    public int? Percent { get; init; }
    public int? Consecutive { get; init; }

    /// <summary><c>roll-back-guest</c>, <c>pause</c>, <c>stop</c>, <c>roll-back-wave</c>, <c>roll-back-rollout</c>.</summary>
    public string? Action { get; init; }

    internal static FailureThresholdForm Of(FailureThreshold threshold) => new()
    {
        Count = threshold.Measure == FailureMeasure.Count ? threshold.Value : null,
        Percent = threshold.Measure == FailureMeasure.Percent ? threshold.Value : null,
        Consecutive = threshold.Measure == FailureMeasure.Consecutive ? threshold.Value : null,
        Action = Choice.Text(threshold.Action),
    };

    internal FailureThreshold? Read(string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        (FailureMeasure Measure, int Value)[] given =
        [
            .. Count is { } count ? [(FailureMeasure.Count, count)] : Array.Empty<(FailureMeasure, int)>(),
            .. Percent is { } percent ? [(FailureMeasure.Percent, percent)] : Array.Empty<(FailureMeasure, int)>(),
            .. Consecutive is { } consecutive ? [(FailureMeasure.Consecutive, consecutive)] : Array.Empty<(FailureMeasure, int)>(),
        ];
        if (given.Length != 1)
        {
            violations.Add(new Violation(field, "A threshold has exactly one of count, percent and consecutive."));
        }

        foreach ((FailureMeasure measure, int value) in given)
        {
            if (value < 1 || measure == FailureMeasure.Percent && value > 100)
            {
                violations.Add(new Violation(
                    $"{field}.{Choice.Text(measure)}", measure == FailureMeasure.Percent ? $"{value} is not 1 to 100." : $"{value} is not 1 or more."));
            }
        }

        FailureAction? action = Choice.Read<FailureAction>(Action, $"{field}.action", null, violations, FailureAction.None);
        return violations.Count > before ? null : new FailureThreshold(given[0].Measure, given[0].Value, action!.Value);
    }
}
