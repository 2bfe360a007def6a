using System.Net;
using System.Net.Sockets;
using System.Text;
using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Tests.Services;

public sealed class UdpEchoTests
{
    private const string BootId = "11111111-2222-3333-4444-555555555555";

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(64)]
    public async Task Answers_with_the_request_and_the_boot_id(int length)
    {
        using UdpEcho echo = new(BootId, new IPEndPoint(IPAddress.Loopback, 0));
        echo.Start();
        using UdpClient client = new();
        client.Connect(echo.EndPoint);
        byte[] request = [.. Enumerable.Range(1, length).Select(i => (byte)i)];
        await client.SendAsync(request);
        byte[] reply = (await client.ReceiveAsync().WaitAsync(TimeSpan.FromSeconds(10))).Buffer;
        reply.ShouldBe([.. request, .. Encoding.ASCII.GetBytes(BootId)]);
    }

    [Fact]
    public async Task Drops_what_is_longer_and_goes_on()
    {
        using UdpEcho echo = new(BootId, new IPEndPoint(IPAddress.Loopback, 0));
        echo.Start();
        using UdpClient client = new();
        client.Connect(echo.EndPoint);
        await client.SendAsync(new byte[65]);
        await client.SendAsync(new byte[2000]);
        await client.SendAsync(new byte[] { 42 });
        (await client.ReceiveAsync().WaitAsync(TimeSpan.FromSeconds(10))).Buffer.Length.ShouldBe(37);
    }
}
