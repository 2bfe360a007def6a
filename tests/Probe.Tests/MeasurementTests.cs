using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.Probe.Measuring;
using Outcome = TwinKernel.Fleet.Probe.Measuring.Outcome;

namespace TwinKernel.Fleet.Probe.Tests;

/// <summary>Requests each 10, a deadline of 100, gaps of 30 are listed.</summary>
public sealed class MeasurementTests
{
    private const long Interval = 10;
    private const long Timeout = 100;
    private readonly List<(long Number, long Latency, string Outcome)> ends = [];
    private readonly Measurement measurement;

    public MeasurementTests() => measurement = new Measurement(Interval, Timeout, 30, (number, latency, outcome) => ends.Add((number, latency, outcome)));

    [Fact]
    public void Latency_counts_from_when_a_request_was_due_however_late_it_was_sent()
    {
        measurement.Send(7);
        measurement.Answer(0, 9);
        measurement.Send(10);
        measurement.Answer(1, 10);
        ends.ShouldBe([(0, 9, Outcome.Answered), (1, 0, Outcome.Answered)]);
        measurement.Lateness.Max.ShouldBe(7);
        measurement.SentLate.ShouldBe(0);
    }

    [Fact]
    public void A_gap_lies_between_the_arrivals_and_all_that_waited_in_it_carry_their_time()
    {
        SendUntil(10);
        measurement.Answer(0, 5);
        foreach (long number in Enumerable.Range(1, 9))
        {
            measurement.Answer(number, 95);
        }

        measurement.Finish(100);
        measurement.Gaps.ShouldBe([new Gap(5, 95, 0, false)]);
        measurement.Total.LongestGap.ShouldBe(90);
        measurement.Total.LongestLoss.ShouldBe(10, "every request was answered");
        ends.Where(end => end.Number > 0).ShouldAllBe(end => end.Latency == 95 - (end.Number * Interval));
    }

    [Fact]
    public void A_loss_lies_between_the_requests_that_were_answered()
    {
        SendUntil(10);
        measurement.Answer(1, 12);
        measurement.Answer(8, 85);
        measurement.Expire(10_000, _ => { });
        measurement.Finish(100);
        measurement.Total.LongestLoss.ShouldBe(70);
        measurement.Total.LongestGap.ShouldBe(73);
        measurement.Total.Unanswered.ShouldBe(8);
        measurement.Quiet.ShouldBeTrue();
    }

    [Fact]
    public void A_gap_that_does_not_end_lasts_until_the_last_request_was_due()
    {
        SendUntil(10);
        measurement.Answer(0, 2);
        measurement.Finish(100);
        measurement.Gaps.ShouldBe([new Gap(2, 90, 0, true)]);
    }

    [Fact]
    public void A_gap_says_how_late_the_probe_was_in_it()
    {
        measurement.Send(0);
        measurement.Answer(0, 1);
        measurement.Send(65);
        measurement.Send(65);
        measurement.Answer(1, 66);
        measurement.Gaps.ShouldBe([new Gap(1, 66, 55, false)]);
        measurement.SentLate.ShouldBe(2);
    }

    [Fact]
    public void A_request_whose_deadline_passed_before_it_could_be_sent_is_not_sent()
    {
        measurement.Send(100).ShouldBeFalse();
        measurement.Send(100).ShouldBeTrue();
        measurement.Total.NotSent.ShouldBe(1);
        measurement.Total.Sent.ShouldBe(1);
        measurement.Fail(0, Outcome.Refused).ShouldBeFalse();
    }

    [Fact]
    public void Each_request_ends_once()
    {
        SendUntil(3);
        measurement.Fail(1, Outcome.Reset).ShouldBeTrue();
        measurement.Answer(1, 5).ShouldBeFalse();
        measurement.Answer(0, 5).ShouldBeTrue();
        measurement.Answer(0, 6).ShouldBeFalse();
        measurement.Fail(0, Outcome.Reset).ShouldBeFalse();
        measurement.Answer(-1, 7).ShouldBeFalse();
        measurement.Answer(3, 7).ShouldBeFalse();
        var expired = new List<long>();
        measurement.Expire(119, expired.Add);
        expired.ShouldBeEmpty();
        measurement.Expire(120, expired.Add);
        expired.ShouldBe([2]);
        measurement.Answer(2, 121).ShouldBeFalse();
        measurement.Total.Errors.ShouldBe(new Dictionary<string, long> { [Outcome.Reset] = 1 });
    }

    [Fact]
    public void A_request_counts_to_the_phase_in_which_it_was_due_and_a_gap_to_each_that_it_touches()
    {
        SendUntil(4);
        measurement.Mark("during", 35);
        SendUntil(8);
        measurement.Mark("after", 75);
        SendUntil(12);
        measurement.Answer(0, 1);
        measurement.Answer(3, 40);
        measurement.Answer(6, 62);
        measurement.Answer(8, 100);
        measurement.Finish(120);
        measurement.Phases.Select(phase => (phase.Name, phase.Sent, phase.Answered, phase.Lasted, phase.LongestGap)).ShouldBe(
        [
            ("before", 4, 2, 35, 39),
            ("during", 4, 1, 40, 39),
            ("after", 4, 1, 45, 38),
        ]);
    }

    [Fact]
    public void A_phase_that_is_entered_again_goes_on_and_too_many_are_not_kept_apart()
    {
        measurement.Mark("a", 10);
        measurement.Mark("before", 20);
        measurement.Mark("a", 25);
        measurement.Finish(40);
        measurement.Phases.Select(phase => (phase.Name, phase.Lasted)).ShouldBe([("before", 15), ("a", 25)]);
        for (int mark = 0; mark < 2 * Measurement.MostPhases; mark++)
        {
            measurement.Mark($"p{mark}", 40 + mark);
        }

        measurement.Phases.Count.ShouldBe(Measurement.MostPhases);
    }

    [Fact]
    public void A_mark_that_comes_late_does_not_change_what_was_counted()
    {
        SendUntil(4);
        measurement.Mark("during", 15);
        SendUntil(5);
        measurement.Marks.ShouldBe([(31, "during")]);
        measurement.Phases.Select(phase => phase.Sent).ShouldBe([4, 1]);
    }

    [Fact]
    public void More_gaps_than_are_listed_are_counted()
    {
        long number = 0;
        for (int gap = 0; gap < Measurement.MostGaps + 5; gap++)
        {
            SendUntil(number += 4);
            measurement.Answer(number - 1, (number - 1) * Interval);
        }

        measurement.Gaps.Count.ShouldBe(Measurement.MostGaps);
        measurement.GapsLeftOut.ShouldBe(5);
    }

    /// <summary>Held against a second reckoning that keeps everything.</summary>
    [Fact]
    public void Whatever_comes_back_when_all_requests_are_accounted_for()
    {
        Gen<(int Fate, int Delay)[]> fates = Gen.Zip(Gen.Choose(0, 3), Gen.Choose(0, 140)).ArrayOf();
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(fates.ToArbitrary(), requests =>
        {
            var tested = new Measurement(Interval, Timeout, 30);
            var events = requests.SelectMany((request, number) => new (long At, int Order, Action Act)[]
            {
                (number * Interval, 1, () => tested.Send(number * Interval)),
                ((number * Interval) + request.Delay, 2, () =>
                {
                    tested.Expire((number * Interval) + request.Delay, _ => { });
                    switch (request.Fate)
                    {
                        case 0: tested.Fail(number, "error"); break;
                        case 1: break;
                        default: tested.Answer(number, (number * Interval) + request.Delay); break;
                    }
                }),
            });
            foreach ((_, _, Action act) in events.OrderBy(happened => happened.At).ThenBy(happened => happened.Order))
            {
                act();
            }

            long end = requests.Length * Interval;
            tested.Expire(end + Timeout, _ => { });
            tested.Finish(end);

            var answered = requests.Select((request, number) => (request, number)).Where(one => one.request.Fate > 1 && one.request.Delay < Timeout).ToList();
            long failed = requests.Count(request => request.Fate == 0 && request.Delay < Timeout);
            tested.Total.Sent.ShouldBe(requests.Length);
            tested.Total.Answered.ShouldBe(answered.Count);
            tested.Total.ErrorCount.ShouldBe(failed);
            tested.Total.Unanswered.ShouldBe(requests.Length - answered.Count - failed);
            tested.Quiet.ShouldBeTrue();
            if (requests.Length > 0)
            {
                long lastDue = (requests.Length - 1) * Interval;
                tested.Total.LongestGap.ShouldBe(Longest(answered.Select(one => (one.number * Interval) + one.request.Delay), lastDue));
                tested.Total.LongestLoss.ShouldBe(Longest(answered.Select(one => one.number * Interval), lastDue));
            }
        }));
    }

    private static long Longest(IEnumerable<long> times, long end)
    {
        long[] sorted = [0, .. times.Order()];
        long open = Math.Max(0, end - sorted[^1]);
        return sorted.Zip(sorted.Skip(1), (one, next) => next - one).Append(open).Max();
    }

    private void SendUntil(long number)
    {
        while (measurement.Next < number)
        {
            measurement.Send(measurement.Due(measurement.Next));
        }
    }
}
