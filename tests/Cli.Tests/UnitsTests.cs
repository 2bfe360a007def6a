using Google.Protobuf.WellKnownTypes;
using TwinKernel.Fleet.Cli.Output;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class UnitsTests
{
    [Theory]
    [InlineData(0, "0 ns")]
    [InlineData(999, "999 ns")]
    [InlineData(1000, "1.0 us")]
    [InlineData(999_949, "999.9 us")]
    [InlineData(999_951, "1.0 ms")]
    [InlineData(87_000_000, "87.0 ms")]
    [InlineData(999_951_000, "1.00 s")]
    [InlineData(59_990_000_000, "59.99 s")]
    [InlineData(59_996_000_000, "1 min 00 s")]
    [InlineData(119_700_000_000, "2 min 00 s")]
    [InlineData(3_725_000_000_000, "62 min 05 s")]
    public void Times_keep_three_digits(long nanoseconds, string expected) => Units.Nanoseconds(nanoseconds).ShouldBe(expected);

    [Theory]
    [InlineData(1_000_000, "1 ms")]
    [InlineData(500_000, "0.5 ms")]
    [InlineData(1_500_000, "1.5 ms")]
    public void Intervals_have_no_empty_decimals(int nanoseconds, string expected) => Units.Interval(new Duration { Nanos = nanoseconds }).ShouldBe(expected);

    [Theory]
    [InlineData(0ul, "0.0 MiB")]
    [InlineData(40ul << 20, "40.0 MiB")]
    [InlineData(1024ul << 20, "1,024.0 MiB")]
    [InlineData(128ul << 30, "128.0 GiB")]
    public void Bytes_are_binary(ulong bytes, string expected) => Units.Bytes(bytes).ShouldBe(expected);
}
