using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Tests;

public sealed class LatencyHistogramTests
{
    private static readonly decimal[] Percents = [0.1m, 1, 10, 50, 90, 99, 99.9m, 99.99m, 100];

    [Fact]
    public void A_percentile_is_never_too_low_and_too_high_by_less_than_the_bound()
    {
        // Every magnitude is as likely as any other: a quarter of all longs would lie in the last two buckets' powers.
        Gen<long> time = from magnitude in Gen.Choose(0, 62) from bits in ArbMap.Default.GeneratorFor<ulong>() select (long)(bits >> (63 - magnitude) >> 1);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(time.NonEmptyListOf().ToArbitrary(), times =>
        {
            var histogram = new LatencyHistogram();
            foreach (long one in times)
            {
                histogram.Add(one);
            }

            long[] sorted = [.. times.Order()];
            foreach (decimal percent in Percents)
            {
                long exact = sorted[(int)Math.Ceiling(sorted.Length * percent / 100) - 1];
                long told = histogram.Percentile(percent);
                told.ShouldBeGreaterThanOrEqualTo(exact);
                ((decimal)(told - exact)).ShouldBeLessThanOrEqualTo(exact * (decimal)LatencyHistogram.RelativeError);
            }

            histogram.Max.ShouldBe(sorted[^1]);
            histogram.Count.ShouldBe(sorted.Length);
        }));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(long.MaxValue)]
    public void The_ends_of_the_range_and_of_the_buckets_are_told(long time)
    {
        var histogram = new LatencyHistogram();
        histogram.Add(time);
        histogram.Add(time);
        histogram.Percentile(50).ShouldBe(time);
        histogram.Max.ShouldBe(time);
    }

    [Fact]
    public void Nothing_counted_is_zero_and_a_time_below_zero_counts_as_zero()
    {
        var histogram = new LatencyHistogram();
        histogram.Percentile(99).ShouldBe(0);
        histogram.Add(-1);
        histogram.Percentile(100).ShouldBe(0);
        histogram.Count.ShouldBe(1);
        histogram.Clear();
        histogram.Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100.1)]
    public void There_is_no_such_percentile(double percent) =>
        Should.Throw<ArgumentOutOfRangeException>(() => new LatencyHistogram().Percentile((decimal)percent));
}
