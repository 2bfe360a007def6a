using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Tests.Limits;

public sealed class AmountTests
{
    [Theory]
    [InlineData("0", 10, 0)]
    [InlineData("3", 10, 3)]
    [InlineData("3", 2, 3)]
    [InlineData("10%", 0, 0)]
    [InlineData("10%", 9, 1)]
    [InlineData("10%", 19, 1)]
    [InlineData("10%", 20, 2)]
    [InlineData("99%", 10, 9)]
    [InlineData("100%", 10, 10)]
    [InlineData("100%", 1_000_000, 1_000_000)]
    public void Should_round_down_to_at_least_one(string text, int total, int expected)
    {
        Amount amount = Amount.Parse(text, "limit", new List<Violation>()).ShouldNotBeNull();
        amount.Of(total).ShouldBe(expected);
        amount.ToString().ShouldBe(text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("%")]
    [InlineData("0%")]
    [InlineData("101%")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("1 %")]
    [InlineData("1000001")]
    [InlineData("99999999999")]
    public void Should_refuse_what_is_neither_count_nor_percentage(string text)
    {
        List<Violation> violations = [];
        Amount.Parse(text, "limits[0].maxConcurrent", violations).ShouldBeNull();
        violations.ShouldHaveSingleItem().Field.ShouldBe("limits[0].maxConcurrent");
    }

    [Fact]
    public void Should_never_be_more_than_its_share_but_for_the_one() =>
        Prop.ForAll(Gen.Choose(1, 100).ToArbitrary(), Gen.Choose(0, 100_000).ToArbitrary(), (percent, total) =>
        {
            int of = Amount.Percent(percent).Of(total);
            of.ShouldBeInRange(Math.Min(1, total), total);
            (of <= 1 || of * 100L <= (long)total * percent).ShouldBeTrue();
            ((of + 1) * 100L > (long)total * percent).ShouldBeTrue();
        }).QuickCheckThrowOnFailure();
}
