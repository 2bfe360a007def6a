using System.Buffers.Binary;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>What asks the other end of a connection whether it still has it (RFC 9293, 3.10.7.4).</summary>
internal static class TickleSegment
{
    private const int AddressBytes = 4;
    private const int HeaderBytes = 20;
    private const byte Tcp = 6;
    private const byte Acknowledge = 0x10;

    /// <summary>A segment without data that acknowledges what was never sent (RFC 9293, 3.1): 20 bytes, with their checksum.</summary>
    public static byte[] Of(TcpConnection connection)
    {
        // In front of it, for the checksum alone, the pseudo header: both addresses, the protocol, the length.
        byte[] bytes = new byte[12 + HeaderBytes];
        connection.Local.TryWriteBytes(bytes, out _);
        connection.Remote.TryWriteBytes(bytes.AsSpan(AddressBytes), out _);
        (bytes[9], bytes[11]) = (Tcp, HeaderBytes);
        Span<byte> header = bytes.AsSpan(12);
        BinaryPrimitives.WriteUInt16BigEndian(header, connection.LocalPort);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], connection.RemotePort);
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
}
