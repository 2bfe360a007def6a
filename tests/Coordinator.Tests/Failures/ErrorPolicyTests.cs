using FsCheck;
using FsCheck.Fluent;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Tests.Failures;

public sealed class ErrorPolicyTests
{
    private static readonly ErrorPolicy _policy = new()
    {
        Thresholds = [
            new(FailureMeasure.Consecutive, 3, FailureAction.Stop),
            new(FailureMeasure.Count, 2, FailureAction.Pause),
            new(FailureMeasure.Percent, 50, FailureAction.RollBackWave),
        ],
    };

    [Theory]
    [InlineData("", FailureAction.None, "")]
    [InlineData("..x..", FailureAction.None, "")]
    [InlineData("x.x", FailureAction.Pause, "2 of the wave's 10 guests failed; 2 are too many.")]
    [InlineData("xx.xx", FailureAction.Pause, "4 of the wave's 10 guests failed; 2 are too many.")]
    [InlineData(".xxx.", FailureAction.Stop, "3 guests failed one after the other; 3 are too many.")]
    [InlineData("xx.xx.x", FailureAction.RollBackWave, "5 of the wave's 10 guests failed; 50% are too many.")]
    public void Should_take_the_severest_action_that_is_due(string ends, FailureAction action, string why) =>
        Decide(_policy, 10, ends).ShouldBe(new FailureDecision(action, why));

    [Fact]
    public void Should_pause_at_the_first_failure_by_default()
    {
        Decide(ErrorPolicy.Default, 1000, new string('.', 999)).Action.ShouldBe(FailureAction.None);
        Decide(ErrorPolicy.Default, 1000, new string('.', 999) + "x").Action.ShouldBe(FailureAction.Pause);
    }

    [Fact]
    public void Should_never_become_milder_as_more_fails() =>
        Prop.ForAll(
            (from measure in Gen.Elements(Enum.GetValues<FailureMeasure>())
             from value in Gen.Choose(1, 12)
             from action in Gen.Elements(Enum.GetValues<FailureAction>()[1..])
             select new FailureThreshold(measure, value * (measure == FailureMeasure.Percent ? 8 : 1), action)).ListOf().ToArbitrary(),
            Gen.Elements('.', 'x').ListOf(12).ToArbitrary(),
            (thresholds, ends) =>
            {
                ErrorPolicy policy = new() { Thresholds = [.. thresholds] };
                FailureAction before = FailureAction.None;
                for (int ended = 0; ended <= ends.Count; ended++)
                {
                    string soFar = string.Concat(ends.Take(ended));
                    FailureDecision decision = Decide(policy, 12, soFar);
                    ((int)decision.Action).ShouldBeGreaterThanOrEqualTo((int)before);
                    (decision.Why.Length == 0).ShouldBe(decision.Action == FailureAction.None);
                    int failed = soFar.Count(end => end == 'x');
                    int longest = soFar.Split('.').Max(run => run.Length);
                    thresholds.Any(threshold => threshold.Value <= threshold.Measure switch
                    {
                        FailureMeasure.Count => failed,
                        FailureMeasure.Percent => failed * 100.0 / 12,
                        _ => longest,
                    }).ShouldBe(decision.Action != FailureAction.None);
                    before = decision.Action;
                }
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void Should_wait_longer_each_time_up_to_the_limit_and_then_quarantine()
    {
        RetryPolicy retry = new() { Attempts = 6, Backoff = Duration.FromMinutes(1), BackoffLimit = Duration.FromMinutes(5) };
        Instant at = Instant.FromUtc(2026, 11, 21, 11, 0);
        Enumerable.Range(1, 5).Select(attempt => (retry.Decide(attempt, at, "it broke.").RetryAt!.Value - at).TotalMinutes).ShouldBe([1, 2, 4, 5, 5]);
        retry.Decide(6, at, "it broke.").ShouldBe(new RetryDecision(null, "Tried 6 times, the last time: it broke."));
        new RetryPolicy { Attempts = 1 }.Decide(1, at, "it broke.").ShouldBe(new RetryDecision(null, "Tried once, the last time: it broke."));
        new RetryPolicy { Backoff = Duration.Zero, Attempts = 20 }.Decide(19, at, "").RetryAt.ShouldBe(at);
    }

    [Fact]
    public void Should_read_what_it_writes()
    {
        List<Violation> violations = [];
        ErrorPolicy policy = _policy with
        {
            OnGateStopped = FailureAction.RollBackRollout,
            Retry = new RetryPolicy { Attempts = 3, Backoff = Duration.FromHours(2), BackoffLimit = Duration.FromHours(5) },
        };
        ErrorPolicy again = ErrorPolicyForm.Of(policy).Read("errors", violations).ShouldNotBeNull();
        again.Thresholds.ShouldBe(policy.Thresholds);
        (again with { Thresholds = policy.Thresholds }).ShouldBe(policy);
        new ErrorPolicyForm().Read("errors", violations).ShouldBe(ErrorPolicy.Default);
        new ErrorPolicyForm { Backoff = "3h" }.Read("errors", violations).ShouldNotBeNull().Retry.BackoffLimit.ShouldBe(Duration.FromHours(3));
        violations.ShouldBeEmpty();
    }

    [Fact]
    public void Should_tell_all_errors_with_their_paths()
    {
        List<Violation> violations = [];
        new ErrorPolicyForm
        {
            Thresholds = [
                new() { Percent = 101, Action = "stop" },
                new() { Count = 0, Consecutive = 1, Action = "panic" },
                new() { Action = "none" },
            ],
            OnGateStopped = "roll-back-guest",
            Attempts = 21,
            Backoff = "8d",
            BackoffLimit = "1s",
        }.Read("waves[2].errors", violations).ShouldBeNull();
        violations.Select(one => one.Field["waves[2].errors.".Length..]).ShouldBe([
            "thresholds[0].percent", "thresholds[1]", "thresholds[1].count", "thresholds[1].action", "thresholds[2]", "thresholds[2].action",
            "onGateStopped", "attempts", "backoff", "backoffLimit",
        ]);
    }

    private static FailureDecision Decide(ErrorPolicy policy, int guests, string ends) =>
        policy.Decide(new WaveProgress(guests, [.. ends.Select((end, at) => new GuestEnd(new GuestId("h", $"g{at}"), end == '.'))]));
}
