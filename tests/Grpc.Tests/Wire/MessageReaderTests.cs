using Grpc.Core;
using Grpc.Wire;

namespace TwinKernel.Fleet.Grpc.Tests.Wire;

public sealed class MessageReaderTests
{
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create<byte[]>(message => message, payload => payload);

    [Fact]
    public async Task Messages_come_back_however_the_bytes_are_cut()
    {
        byte[][] messages = [[], [1], new byte[300], [.. Enumerable.Range(0, 5000).Select(i => (byte)i)]];
        var all = new MemoryStream();
        foreach (var message in messages)
        {
            using var frame = MessageWriter.Serialize(Bytes, message, null);
            all.Write(frame.Frame.Span);
        }

        for (var cut = 1; cut < 12; cut++)
        {
            var reader = new MessageReader(new CutStream(all.ToArray(), cut), null);
            foreach (var message in messages)
            {
                (await reader.ReadAsync(Bytes, CancellationToken.None)).ShouldBe(message);
            }

            (await reader.ReadAsync(Bytes, CancellationToken.None)).ShouldBeNull();
        }
    }

    [Theory]
    [InlineData("000000", StatusCode.Internal)]
    [InlineData("0000000005AABB", StatusCode.Internal)]
    [InlineData("0100000001AA", StatusCode.Unimplemented)]
    [InlineData("0200000001AA", StatusCode.Internal)]
    [InlineData("0000000065", StatusCode.ResourceExhausted)]
    [InlineData("00FFFFFFFF", StatusCode.ResourceExhausted)]
    public async Task What_is_no_message_is_refused(string hex, StatusCode expected)
    {
        var reader = new MessageReader(new MemoryStream(Convert.FromHexString(hex)), 100);
        (await Should.ThrowAsync<RpcException>(async () => await reader.ReadAsync(Bytes, CancellationToken.None))).StatusCode.ShouldBe(expected);
    }

    [Fact]
    public void A_message_above_the_limit_is_not_written()
    {
        Should.Throw<RpcException>(() => MessageWriter.Serialize(Bytes, new byte[101], 100)).StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        using var fits = MessageWriter.Serialize(Bytes, new byte[100], 100);
        fits.Frame.Length.ShouldBe(105);
    }

    private sealed class CutStream(byte[] bytes, int cut) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(cut, buffer.Length)], cancellationToken);
    }
}
