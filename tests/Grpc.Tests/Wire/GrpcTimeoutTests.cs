using Grpc.Wire;

namespace TwinKernel.Fleet.Grpc.Tests.Wire;

public sealed class GrpcTimeoutTests
{
    [Theory]
    [InlineData(0, "1n")]
    [InlineData(-5, "1n")]
    [InlineData(1, "1u")]
    [InlineData(10, "1u")]
    [InlineData(11, "2u")]
    [InlineData(TimeSpan.TicksPerSecond, "1000000u")]
    [InlineData(99_999_999 * TimeSpan.TicksPerMicrosecond, "99999999u")]
    [InlineData((99_999_999 * TimeSpan.TicksPerMicrosecond) + 1, "100000m")]
    [InlineData(30 * TimeSpan.TicksPerDay, "2592000S")]
    [InlineData(long.MaxValue, "99999999H")]
    public void Is_sent_with_at_most_eight_digits_and_never_shortened(long ticks, string expected)
    {
        var encoded = GrpcTimeout.Encode(TimeSpan.FromTicks(ticks));
        encoded.ShouldBe(expected);
        encoded.Length.ShouldBeLessThanOrEqualTo(9);
    }

    [Theory]
    [InlineData("0n", 0)]
    [InlineData("1n", 1)]
    [InlineData("100n", 1)]
    [InlineData("101n", 2)]
    [InlineData("7u", 70)]
    [InlineData("7m", 7 * TimeSpan.TicksPerMillisecond)]
    [InlineData("7S", 7 * TimeSpan.TicksPerSecond)]
    [InlineData("7M", 7 * TimeSpan.TicksPerMinute)]
    [InlineData("7H", 7 * TimeSpan.TicksPerHour)]
    [InlineData("99999999H", 99_999_999 * TimeSpan.TicksPerHour)]
    public void Is_read_in_every_unit(string header, long ticks)
    {
        GrpcTimeout.TryDecode(header, out var timeout).ShouldBeTrue();
        timeout.Ticks.ShouldBe(ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("S")]
    [InlineData("1s")]
    [InlineData("-1S")]
    [InlineData("+1S")]
    [InlineData("1.5S")]
    [InlineData(" 1S")]
    [InlineData("123456789S")]
    public void Is_refused_when_malformed(string header) => GrpcTimeout.TryDecode(header, out _).ShouldBeFalse();
}
