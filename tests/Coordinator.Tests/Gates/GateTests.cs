using FsCheck;
using FsCheck.Fluent;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Tests.Gates;

public sealed class GateTests
{
    private static readonly Instant _begun = Instant.FromUtc(2026, 11, 21, 11, 0);
    private static readonly GateSpec _gate = new()
    {
        Name = "errors",
        Kind = GateKind.Prometheus,
        Point = GatePoint.AfterWave,
        Target = "http://prometheus:9090",
        Query = "rate(errors[5m])",
        Expect = new GateExpectation(Comparison.Less, 0.01),
        Attempts = 3,
        Interval = Duration.FromSeconds(10),
        Deadline = Duration.FromSeconds(60),
    };

    [Fact]
    public void Should_pass_with_one_success_in_time()
    {
        Decide(70, (1, GateOutcome.Failure), (12, GateOutcome.Success)).ShouldBe(new GateVerdict(GateState.Passed, null, GateOutcome.Success, ""));
        Decide(70, (60, GateOutcome.Success)).State.ShouldBe(GateState.Passed);
    }

    [Fact]
    public void Should_ask_again_after_the_interval()
    {
        Decide(0).ShouldBe(new GateVerdict(GateState.Ask, _begun, null, "Gate 'errors' has not answered yet."));
        Decide(5, (4, GateOutcome.Error)).ShouldBe(new GateVerdict(
            GateState.Ask, _begun + Duration.FromSeconds(14), null,
            "Gate 'errors' is asked again, attempt 2 of 3; its last answer was error: it says Error."));
    }

    [Theory]
    [InlineData(GateOutcome.Failure)]
    [InlineData(GateOutcome.Inconclusive)]
    [InlineData(GateOutcome.Error)]
    public void Should_stop_on_anything_else(GateOutcome outcome) =>
        Decide(30, (1, GateOutcome.Failure), (11, GateOutcome.Failure), (21, outcome)).ShouldBe(new GateVerdict(
            GateState.Stopped, null, outcome, $"Gate 'errors' did not succeed after 3 attempts: {outcome.ToString().ToLowerInvariant()}: it says {outcome}."));

    [Fact]
    public void Should_stop_when_the_time_is_over()
    {
        Decide(61).ShouldBe(new GateVerdict(GateState.Stopped, null, GateOutcome.Error, "Gate 'errors' did not succeed within 1m: no answer."));
        /* The next question would come too late. */
        Decide(56, (55, GateOutcome.Inconclusive)).Outcome.ShouldBe(GateOutcome.Inconclusive);
        /* Too late, or one more than was allowed. */
        Decide(62, (61, GateOutcome.Success)).State.ShouldBe(GateState.Stopped);
        Decide(50, (1, GateOutcome.Error), (2, GateOutcome.Error), (3, GateOutcome.Error), (4, GateOutcome.Success)).State.ShouldBe(GateState.Stopped);
    }

    [Fact]
    public void Should_pass_only_by_a_success_and_end_by_the_deadline() =>
        Prop.ForAll(
            (from seconds in Gen.Choose(0, 90)
             from outcome in Gen.Elements(Enum.GetValues<GateOutcome>())
             select (seconds, outcome)).ListOf().ToArbitrary(),
            Gen.Choose(0, 90).ToArbitrary(),
            (answers, now) =>
            {
                (int, GateOutcome)[] sorted = [.. answers.OrderBy(answer => answer.seconds).Where(answer => answer.seconds <= now)];
                GateVerdict verdict = Decide(now, sorted);
                (verdict.State == GateState.Passed).ShouldBe(sorted.Take(3).Any(answer => answer is ( <= 60, GateOutcome.Success)));
                (verdict.AskAt is not null).ShouldBe(verdict.State == GateState.Ask);
                (verdict.AskAt > _begun + _gate.Deadline).ShouldBeFalse();
                (verdict.State == GateState.Ask && (now > 60 || sorted.Length >= 3)).ShouldBeFalse();
                (verdict.Why.Length == 0).ShouldBe(verdict.State == GateState.Passed);
            }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("< 0.01", new[] { 0.0, 0.009 }, GateOutcome.Success)]
    [InlineData("< 0.01", new[] { 0.0, 0.01 }, GateOutcome.Failure)]
    [InlineData("<=1e-2", new[] { 0.01 }, GateOutcome.Success)]
    [InlineData(">= 3", new[] { 3.0 }, GateOutcome.Success)]
    [InlineData("> 3", new[] { 3.0 }, GateOutcome.Failure)]
    [InlineData("== 0", new[] { 0.0, -0.0 }, GateOutcome.Success)]
    [InlineData("!= 0", new[] { 1.0, 0.0 }, GateOutcome.Failure)]
    [InlineData("< 1", new[] { double.PositiveInfinity }, GateOutcome.Failure)]
    [InlineData("< 1", new[] { 0.5, double.NaN }, GateOutcome.Inconclusive)]
    [InlineData("< 1", new double[0], GateOutcome.Inconclusive)]
    public void Should_judge_values(string text, double[] values, GateOutcome outcome)
    {
        GateExpectation expect = GateExpectation.Parse(text, "expect", new List<Violation>()).ShouldNotBeNull();
        expect.Judge(values).ShouldBe(outcome);
        GateExpectation.Parse(expect.ToString(), "expect", new List<Violation>()).ShouldBe(expect);
    }

    [Fact]
    public void Should_read_what_it_writes()
    {
        List<Violation> violations = [];
        GateForm.Of(_gate).Read("gate", violations).ShouldBe(_gate);
        new GateForm { Name = "probe", Kind = "guest-probe", Point = "probation", Deadline = "5s" }.Read("gate", violations).ShouldBe(new GateSpec
        {
            Name = "probe",
            Kind = GateKind.GuestProbe,
            Point = GatePoint.Probation,
            Deadline = Duration.FromSeconds(5),
            Timeout = Duration.FromSeconds(5),
        });
        violations.ShouldBeEmpty();
    }

    [Fact]
    public void Should_tell_all_errors_with_their_paths()
    {
        List<Violation> violations = [];
        new GateForm { Kind = "oracle", Point = "later", Attempts = 0, Interval = "0s", Timeout = "2m", Deadline = "1m" }
            .Read("waves[0].gates[0]", violations).ShouldBeNull();
        violations.Select(one => one.Field["waves[0].gates[0].".Length..])
            .ShouldBe(["name", "kind", "point", "attempts", "interval", "timeout"]);

        violations.Clear();
        GateForm[] forms =
        [
            new() { Name = "a", Kind = "prometheus", Point = "standby", Target = "ftp://x", Expect = "~ 1" },
            new() { Name = "b", Kind = "http", Point = "standby", Target = "x", Query = "up", Expect = "> 0" },
            new() { Name = "c", Kind = "host-command", Point = "after-wave" },
            new() { Name = "d", Kind = "guest-probe", Point = "standby", Target = "x" },
        ];
        forms.Select((form, at) => form.Read($"[{at}]", violations)).ToArray().ShouldAllBe(gate => gate == null);
        violations.Select(one => one.Field).ShouldBe([
            "[0].target", "[0].query", "[0].expect", "[1].target", "[1].query", "[1].expect", "[2].target", "[3].target"]);
    }

    private static GateVerdict Decide(int now, params (int At, GateOutcome Outcome)[] answers) => Gate.Decide(
        _gate,
        _begun,
        [.. answers.Select(answer => new GateAnswer(_begun + Duration.FromSeconds(answer.At), answer.Outcome, $"it says {answer.Outcome}"))],
        _begun + Duration.FromSeconds(now));
}
