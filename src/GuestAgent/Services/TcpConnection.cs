using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>An established IPv4 connection, from the end that is in this guest, at its own address.</summary>
/// <param name="LocalPort">Of the guest.</param>
/// <param name="Remote">The other end's address, in network order.</param>
/// <param name="RemotePort">The other end's port.</param>
public readonly record struct TcpConnection(ushort LocalPort, uint Remote, ushort RemotePort)
{
    private const int WireBytes = 8;
    private const int HeaderBytes = 20;
    private const byte Tcp = 6;
    private const byte Acknowledge = 0x10;
    private const string Established = "01";

    /// <summary>The end of an IPv4 address in an IPv6 socket's: <c>::ffff:a.b.c.d</c> as the kernel prints it.</summary>
    private const string Mapped = "0000000000000000FFFF0000";

    public IPAddress RemoteAddress => new(BinaryPrimitives.ReverseEndianness(Remote));

    /// <summary>Reads <c>/proc/net/tcp</c> or <c>tcp6</c> (<c>Documentation/networking/proc_net_tcp.rst</c>): those that are established, at this address.</summary>
    /// <param name="table">Addresses are in the order of the machine's bytes, ports are not.</param>
    public static IEnumerable<TcpConnection> Parse(string table, IPAddress own)
    {
        uint wanted = Number(own);
        foreach (string line in table.Split('\n'))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var local, var remote, Established, ..]
                && TryEnd(local, out uint address, out ushort port) && address == wanted && TryEnd(remote, out uint other, out ushort otherPort))
            {
                yield return new TcpConnection(port, other, otherPort);
            }
        }
    }

    public static byte[] Write(IReadOnlyList<TcpConnection> connections)
    {
        byte[] bytes = new byte[connections.Count * WireBytes];
        for (int i = 0; i < connections.Count; i++)
        {
            Span<byte> one = bytes.AsSpan(i * WireBytes, WireBytes);
            BinaryPrimitives.WriteUInt16BigEndian(one, connections[i].LocalPort);
            BinaryPrimitives.WriteUInt16BigEndian(one[2..], connections[i].RemotePort);
            BinaryPrimitives.WriteUInt32BigEndian(one[4..], connections[i].Remote);
        }

        return bytes;
    }

    /// <summary>What <see cref="Write"/> has written; of a rest nothing.</summary>
    public static IReadOnlyList<TcpConnection> Read(ReadOnlySpan<byte> bytes)
    {
        List<TcpConnection> connections = [];
        for (; bytes.Length >= WireBytes; bytes = bytes[WireBytes..])
        {
            connections.Add(new TcpConnection(BinaryPrimitives.ReadUInt16BigEndian(bytes), BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..])));
        }

        return connections;
    }

    /// <summary>A segment without data that acknowledges what was never sent (RFC 9293, 3.1): 20 bytes, with their checksum.</summary>
    public byte[] Tickle(IPAddress own)
    {
        // In front of it, for the checksum alone, the pseudo header: both addresses, the protocol, the length.
        byte[] bytes = new byte[12 + HeaderBytes];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Number(own));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), Remote);
        (bytes[9], bytes[11]) = (Tcp, HeaderBytes);
        Span<byte> header = bytes.AsSpan(12);
        BinaryPrimitives.WriteUInt16BigEndian(header, LocalPort);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], RemotePort);
        (header[12], header[13]) = (HeaderBytes / 4 << 4, Acknowledge);
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(i));
        }

        sum = (sum & 0xffff) + (sum >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(header[16..], (ushort)~(sum + (sum >> 16)));
        return header.ToArray();
    }

    private static uint Number(IPAddress address) => BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());

    private static bool TryEnd(string text, out uint address, out ushort port)
    {
        (address, port) = (0, 0);
        if (text.Split(':') is not [var host, var number])
        {
            return false;
        }

        bool read = uint.TryParse(host.StartsWith(Mapped, StringComparison.Ordinal) ? host[Mapped.Length..] : host, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint raw)
            & ushort.TryParse(number, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out port);
        address = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(raw) : raw;
        return read;
    }
}
