using Grpc.Core;
using Grpc.Wire;

namespace TwinKernel.Fleet.Grpc.Tests.Wire;

public sealed class MetadataTests
{
    [Fact]
    public void Keys_are_lower_case_and_the_last_entry_wins()
    {
        var metadata = new Metadata { { "Key", "1" }, { "other", "2" }, { "KEY", "3" }, { "b-BIN", [1, 2] } };
        metadata.Select(entry => entry.Key).ShouldBe(["key", "other", "key", "b-bin"]);
        metadata.GetValue("kEy").ShouldBe("3");
        metadata.GetAll("key").Select(entry => entry.Value).ShouldBe(["1", "3"]);
        metadata.GetValueBytes("b-bin").ShouldBe([1, 2]);
        metadata.Get("none").ShouldBeNull();
        Should.Throw<InvalidOperationException>(() => metadata.GetValue("b-bin"));
    }

    [Theory]
    [InlineData("", "x")]
    [InlineData("with space", "x")]
    [InlineData("key:", "x")]
    [InlineData("schlüssel", "x")]
    [InlineData("text-bin", "x")]
    [InlineData("key", "ö")]
    [InlineData("key", "line\r\nbreak: injected")]
    public void What_no_header_can_hold_is_refused(string key, string value) =>
        Should.Throw<ArgumentException>(() => new Metadata.Entry(key, value));

    [Fact]
    public void Bytes_need_a_binary_key() => Should.Throw<ArgumentException>(() => new Metadata.Entry("key", [1]));

    [Fact]
    public void Empty_stays_empty() => Should.Throw<InvalidOperationException>(() => Metadata.Empty.Add("key", "value"));

    [Theory]
    [InlineData("AQI=", "0102")]
    [InlineData("AQI", "0102")]
    [InlineData("AQI,AwQ=, BQ", "0102 0304 05")]
    [InlineData("", "")]
    [InlineData("not base64!", null)]
    public void Binary_headers_come_padded_or_not_and_joined(string header, string? expected)
    {
        var metadata = new Metadata();
        MetadataHeaders.AddReceived(metadata, "X-Bin", header);
        (metadata.Count == 0 ? null : string.Join(' ', metadata.Select(entry => Convert.ToHexString(entry.ValueBytes)))).ShouldBe(expected);
    }

    [Fact]
    public void Headers_of_the_protocol_are_no_metadata()
    {
        var metadata = new Metadata();
        foreach (var name in (string[])["grpc-status", "grpc-timeout", "content-type", "te", ":path", "with!mark"])
        {
            MetadataHeaders.AddReceived(metadata, name, "1");
        }

        MetadataHeaders.AddReceived(metadata, "text", "not printable: ö");
        metadata.ShouldBeEmpty();
    }
}
