using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Observation;

namespace TwinKernel.Fleet.HostAgent.Tests.Observation;

public sealed class OutageWindowTests
{
    private const string A = "aaaaaaaa-0000-4000-8000-000000000000";
    private const string B = "bbbbbbbb-0000-4000-8000-000000000000";

    [Fact]
    public void A_gap_is_between_the_sends_of_neighbouring_answered_probes()
    {
        OutageWindow window = new();
        for (int i = 0; i < 10; i++)
        {
            window.Sent(Ms(i));
        }

        foreach (int answered in (int[])[0, 1, 7, 8])
        {
            window.Answered(answered, A, Ms(20));
        }

        OutageSnapshot seen = window.Snapshot();
        seen.LongestGap.ShouldBe(Ms(6));
        (seen.Sent, seen.Answered, seen.OpenGap).ShouldBe((10, 4, Ms(1)));
    }

    [Fact]
    public void A_rest_is_no_gap_between_neighbours_and_part_of_one_in_which_an_answer_is_missing()
    {
        TimeSpan rest = Ms(9);
        OutageWindow window = new(capacity: 3);
        foreach (int at in (int[])[0, 10, 21, 31, 41, 51])
        {
            long probe = window.Sent(Ms(at), rest);
            if (at != 31)
            {
                window.Answered(probe, A, Ms(at + 1));
            }

            window.Snapshot().LongestGap.ShouldBe(Ms(at switch { 0 => 0, 10 => 1, 21 or 31 => 2, _ => 20 }), $"{at}");
        }
    }

    [Fact]
    public void Whatever_is_sent_and_answered_in_whatever_order_the_gap_is_that_of_the_definition()
    {
        // Each number is one probe: its size the pause before it, its parity whether it is answered; answers come backwards in blocks.
        Check.QuickThrowOnFailure(Prop.ForAll<byte[], byte>((probes, block) =>
        {
            OutageWindow window = new(capacity: Math.Max(1, probes.Length));
            List<(long Number, TimeSpan Sent)> answered = [];
            TimeSpan now = TimeSpan.Zero;
            foreach (byte probe in probes)
            {
                now += TimeSpan.FromTicks(probe);
                long number = window.Sent(now);
                if (probe % 2 == 0)
                {
                    answered.Add((number, now));
                }
            }

            foreach ((long Number, TimeSpan Sent)[] part in answered.Chunk((block % 7) + 1))
            {
                foreach ((long number, TimeSpan _) in part.Reverse())
                {
                    window.Answered(number, A, now).ShouldBeTrue();
                    window.Answered(number, A, now).ShouldBeFalse();
                }
            }

            TimeSpan expected = answered.Zip(answered.Skip(1), (a, b) => b.Sent - a.Sent).DefaultIfEmpty().Max();
            OutageSnapshot seen = window.Snapshot();
            return seen.LongestGap == expected && seen.Sent == probes.Length && seen.Answered == answered.Count;
        }));
    }

    [Fact]
    public void A_small_window_sees_the_same_gaps_when_answers_come_in_time()
    {
        Check.QuickThrowOnFailure(Prop.ForAll<bool[], byte>((answers, size) =>
        {
            OutageWindow small = new((size % 5) + 1);
            OutageWindow large = new(Math.Max(1, answers.Length));
            for (int i = 0; i < answers.Length; i++)
            {
                foreach (OutageWindow window in (OutageWindow[])[small, large])
                {
                    long number = window.Sent(Ms(i));
                    if (answers[i])
                    {
                        window.Answered(number, A, Ms(i));
                    }
                }
            }

            OutageSnapshot few = small.Snapshot(), all = large.Snapshot();
            return (few.LongestGap, few.Sent, few.Answered, few.OpenGap) == (all.LongestGap, all.Sent, all.Answered, all.OpenGap);
        }));
    }

    [Fact]
    public void An_answer_that_comes_after_its_probe_has_left_the_window_does_not_count()
    {
        OutageWindow window = new(capacity: 2);
        long first = window.Sent(Ms(0));
        window.Sent(Ms(1));
        window.Sent(Ms(2));
        window.Answered(first, A, Ms(3)).ShouldBeFalse();
        window.Answered(99, A, Ms(3)).ShouldBeFalse();
        window.Snapshot().Answered.ShouldBe(0);
    }

    [Fact]
    public void It_knows_when_another_kernel_answered_first()
    {
        OutageWindow window = new();
        window.Answered(window.Sent(Ms(1)), A, Ms(2));
        window.Answered(window.Sent(Ms(3)), A, Ms(4));
        window.Answered(window.Sent(Ms(50)), B, Ms(53));
        window.Snapshot().Kernels.ShouldBe([new AnsweringKernel(A, Ms(1), Ms(2)), new AnsweringKernel(B, Ms(50), Ms(53))]);
    }

    [Fact]
    public void From_a_moment_on_only_the_part_of_a_gap_after_it_counts()
    {
        OutageWindow window = new();
        foreach (int at in (int[])[0, 100, 110])
        {
            window.Answered(window.Sent(Ms(at)), A, Ms(at));
        }

        window.Snapshot().LongestGap.ShouldBe(Ms(100));
        window.Snapshot(Ms(95)).LongestGap.ShouldBe(Ms(10));
        window.Snapshot(Ms(60)).LongestGap.ShouldBe(Ms(40));
    }

    [Fact]
    public void What_an_earlier_agent_saw_is_joined_and_marked_as_interrupted()
    {
        OutageWindow window = new();
        window.Answered(window.Sent(Ms(0)), A, Ms(1));
        window.Answered(window.Sent(Ms(5)), A, Ms(6));
        ObservedOutage before = window.Snapshot().ToMessage(Ms(1), null) with { LongestGap = Ms(80), Sent = 10, Answered = 9 };
        ObservedOutage joined = window.Snapshot().ToMessage(Ms(1), before);
        joined.ShouldBe(new ObservedOutage { LongestGap = Ms(80), Sent = 12, Answered = 11, Interval = Ms(1), Interrupted = true });
        window.Snapshot().ToMessage(Ms(1), null).Interrupted.ShouldBeFalse();
    }

    private static TimeSpan Ms(double value) => TimeSpan.FromMilliseconds(value);
}
