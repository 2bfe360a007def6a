using Grpc.Wire;

namespace TwinKernel.Fleet.Grpc.Tests.Wire;

public sealed class PercentEncodingTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain text, with ~ and !", "plain text, with ~ and !")]
    [InlineData("100%", "100%25")]
    [InlineData("a\r\nb\t", "a%0D%0Ab%09")]
    [InlineData("ö", "%C3%B6")]
    [InlineData("😀", "%F0%9F%98%80")]
    [InlineData("\u007f", "%7F")]
    public void Leaves_printable_ASCII_and_comes_back(string text, string encoded)
    {
        PercentEncoding.Encode(text).ShouldBe(encoded);
        PercentEncoding.Decode(encoded).ShouldBe(text);
    }

    [Theory]
    [InlineData("%", "%")]
    [InlineData("50% of", "50% of")]
    [InlineData("%4", "%4")]
    [InlineData("%zz%41", "%zzA")]
    [InlineData("%c3%b6", "ö")]
    [InlineData("%ff", "\ufffd")]
    public void Never_throws_a_broken_text_away(string encoded, string text) => PercentEncoding.Decode(encoded).ShouldBe(text);

    [Fact]
    public void Every_text_comes_back_and_is_a_legal_header()
    {
        var random = new Random(4711);
        for (var i = 0; i < 5000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => char.ConvertFromUtf32(random.Next(4) == 0 ? random.Next(0x10000, 0x110000) : random.Next(0, 0xD800))));
            var encoded = PercentEncoding.Encode(text);
            encoded.AsSpan().ContainsAnyExceptInRange(' ', '~').ShouldBeFalse();
            PercentEncoding.Decode(encoded).ShouldBe(text);
        }
    }
}
