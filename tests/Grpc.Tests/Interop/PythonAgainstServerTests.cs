using System.Text.Json.Nodes;
using TwinKernel.Fleet.Grpc.Tests.Echo;

namespace TwinKernel.Fleet.Grpc.Tests.Interop;

/// <summary>The reference client against our server.</summary>
public sealed class PythonAgainstServerTests : IAsyncLifetime
{
    private KestrelServer server = null!;

    public async ValueTask InitializeAsync() => server = await KestrelServer.StartEchoAsync();

    public ValueTask DisposeAsync() => server.DisposeAsync();

    [Theory]
    [InlineData("unary", """{"same":true}""")]
    [InlineData("upload", """{"bytes":67108864,"same":true}""")]
    [InlineData("download", """{"messages":64,"same":true}""")]
    [InlineData("empty_streams", """{"upload":0,"download":0}""")]
    [InlineData("chat", """{"last":49}""")]
    [InlineData("upload_refused", """{"code":"INVALID_ARGUMENT","details":"enough","trailers":[]}""")]
    [InlineData("status", """{"code":"FAILED_PRECONDITION","details":"Gr\u00f6\u00dfe 100% \u65e5\u672c\n\"end\"","trailers":[["x-detail-bin","00ff01fe"]]}""")]
    [InlineData("deadline", """{"code":"DEADLINE_EXCEEDED","details":"Deadline Exceeded","trailers":[],"seen":true}""")]
    [InlineData("cancel", """{"code":"CANCELLED","seen":true}""")]
    [InlineData("unimplemented", """{"method":{"code":"UNIMPLEMENTED","details":"Method is unimplemented.","trailers":[]},"service":{"code":"UNIMPLEMENTED","details":"Service is unimplemented.","trailers":[]}}""")]
    [InlineData("too_large", """{"code":"RESOURCE_EXHAUSTED","details":"Received message of 5242885 bytes exceeds the maximum configured message size of 4194304 bytes.","trailers":[]}""")]
    [InlineData("compressed", """{"code":"UNIMPLEMENTED","details":"Unsupported grpc-encoding value 'gzip'. Supported encodings: identity","trailers":[]}""")]
    public async Task The_reference_client_sees_what_it_expects(string scenario, string expected)
    {
        var seen = await RunAsync(scenario);
        JsonNode.DeepEquals(seen, JsonNode.Parse(expected)).ShouldBeTrue($"it saw {seen.ToJsonString()}");
    }

    [Fact]
    public async Task Metadata_goes_both_ways()
    {
        var seen = await RunAsync("metadata");
        seen["headers"]!.ToJsonString().ShouldBe(seen["sent"]!.ToJsonString());
        seen["trailers"]!.ToJsonString().ShouldBe(seen["sent"]!.ToJsonString());
    }

    private async Task<JsonNode> RunAsync(string scenario)
    {
        await using var client = PythonProgram.Start("echo_client.py", server.Address.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), scenario);
        return JsonNode.Parse(await client.ReadToEndAsync())!;
    }
}
