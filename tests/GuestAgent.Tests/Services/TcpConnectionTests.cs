using System.Buffers.Binary;
using System.Net;
using TwinKernel.Fleet.GuestAgent.Services;

namespace TwinKernel.Fleet.GuestAgent.Tests.Services;

public sealed class TcpConnectionTests
{
    private static readonly IPAddress Own = IPAddress.Parse("10.0.2.15");

    /// <summary>As kernels print them: one that listens, one established, one over loopback, one that is closing.</summary>
    private const string Table = """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
           0: 00000000:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20123 1 0000000000000000 100 0 0 10 0
           1: 0F02000A:18EB 0202000A:C738 01 00000000:00000000 00:00000000 00000000     0        0 20124 1 0000000000000000 100 0 0 10 0
           2: 0100007F:18EB 0100007F:C73A 01 00000000:00000000 00:00000000 00000000     0        0 20125 1 0000000000000000 100 0 0 10 0
           3: 0F02000A:18EB 0202000A:C73C 06 00000000:00000000 00:00000000 00000000     0        0 20126 1 0000000000000000 100 0 0 10 0
        """;

    private const string Table6 = """
          sl  local_address                         remote_address                        st tx_queue rx_queue
           0: 00000000000000000000000000000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000
           1: 0000000000000000FFFF00000F02000A:1538 0000000000000000FFFF00000202000A:C740 01 00000000:00000000
           2: 000080FE00000000FF005450DE1200FE:1538 000080FE00000000FF005450DE1200FF:C742 01 00000000:00000000
        """;

    private static TcpConnection[] All => [.. TcpConnection.Parse(Table, Own), .. TcpConnection.Parse(Table6, Own)];

    [Fact]
    public void Those_over_the_card_are_read_whatever_the_family_of_their_socket()
    {
        All.Select(connection => $"{connection.LocalPort} {connection.RemoteAddress}:{connection.RemotePort}").ShouldBe(["6379 10.0.2.2:51000", "5432 10.0.2.2:51008"]);
        TcpConnection.Parse("rubbish\n 1: 0F02000A 0202000A:C738 01\n 2: 0F02000A:XYZW 0202000A:C738 01\n", Own).ShouldBeEmpty();
    }

    [Fact]
    public void What_was_written_is_read()
    {
        TcpConnection.Read(TcpConnection.Write(All)).ShouldBe(All);
        TcpConnection.Read(TcpConnection.Write(All).AsSpan(0, 15)).ShouldBe(All[..1]);
        TcpConnection.Read(null).ShouldBeEmpty();
    }

    [Fact]
    public void A_tickle_is_an_acknowledgement_with_a_right_checksum()
    {
        byte[] segment = All[0].Tickle(Own);
        segment.Length.ShouldBe(20);
        (BinaryPrimitives.ReadUInt16BigEndian(segment), BinaryPrimitives.ReadUInt16BigEndian(segment.AsSpan(2)), segment[12], segment[13]).ShouldBe(((ushort)6379, (ushort)51000, (byte)0x50, (byte)0x10));

        // With the pseudo header in front of it, and its checksum in it, it adds up to all ones (RFC 1071).
        byte[] whole = [10, 0, 2, 15, 10, 0, 2, 2, 0, 6, 0, 20, .. segment];
        int sum = Enumerable.Range(0, whole.Length / 2).Sum(word => BinaryPrimitives.ReadUInt16BigEndian(whole.AsSpan(word * 2)));
        ((sum & 0xffff) + (sum >> 16)).ShouldBe(0xffff);
    }
}
