using System.Buffers.Binary;
using System.Net;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Tests.Services;

public sealed class TickleSegmentTests
{
    [Fact]
    public void It_is_an_acknowledgement_with_a_right_checksum()
    {
        byte[] segment = TickleSegment.Of(new TcpConnection(IPAddress.Parse("10.0.2.15"), 6379, IPAddress.Parse("10.0.2.2"), 51000));
        segment.Length.ShouldBe(20);
        (BinaryPrimitives.ReadUInt16BigEndian(segment), BinaryPrimitives.ReadUInt16BigEndian(segment.AsSpan(2)), segment[12], segment[13]).ShouldBe(((ushort)6379, (ushort)51000, (byte)0x50, (byte)0x10));

        // With the pseudo header in front of it, and its checksum in it, it adds up to all ones (RFC 1071).
        byte[] whole = [10, 0, 2, 15, 10, 0, 2, 2, 0, 6, 0, 20, .. segment];
        int sum = Enumerable.Range(0, whole.Length / 2).Sum(word => BinaryPrimitives.ReadUInt16BigEndian(whole.AsSpan(word * 2)));
        ((sum & 0xffff) + (sum >> 16)).ShouldBe(0xffff);
    }
}
