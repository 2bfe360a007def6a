using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>Another host on the guest's network, as the kernel has resolved it (RFC 826): kernel B need not ask for what kernel A knew.</summary>
/// <param name="Address">IPv4, in network order.</param>
/// <param name="Hardware">6 bytes.</param>
public sealed record Neighbour(uint Address, PhysicalAddress Hardware)
{
    private const int HardwareBytes = 6;
    private const int WireBytes = sizeof(uint) + HardwareBytes;

    /// <summary>ATF_COM: the entry is complete.</summary>
    private const uint Complete = 2;

    public IPAddress Host => new(BinaryPrimitives.ReverseEndianness(Address));

    /// <summary>Reads <c>/proc/net/arp</c> (<c>net/ipv4/arp.c</c>, <c>arp_format_neigh_entry</c>): those of one interface that are resolved.</summary>
    public static IEnumerable<Neighbour> Parse(string table, string networkInterface)
    {
        foreach (string line in table.Split('\n'))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var host, _, ['0', 'x', .. var flags], var hardware, _, var device]
                && device == networkInterface && IPAddress.TryParse(host, out IPAddress? address)
                && uint.TryParse(flags, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint bits) && (bits & Complete) != 0
                && PhysicalAddress.TryParse(hardware, out PhysicalAddress? physical) && physical.GetAddressBytes().Length == HardwareBytes)
            {
                yield return new Neighbour(BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes()), physical);
            }
        }
    }

    public static byte[] Write(IReadOnlyList<Neighbour> neighbours)
    {
        byte[] bytes = new byte[neighbours.Count * WireBytes];
        for (int i = 0; i < neighbours.Count; i++)
        {
            Span<byte> one = bytes.AsSpan(i * WireBytes, WireBytes);
            BinaryPrimitives.WriteUInt32BigEndian(one, neighbours[i].Address);
            neighbours[i].Hardware.GetAddressBytes().CopyTo(one[sizeof(uint)..]);
        }

        return bytes;
    }

    /// <summary>What <see cref="Write"/> has written; of a rest nothing.</summary>
    public static IReadOnlyList<Neighbour> Read(ReadOnlySpan<byte> bytes)
    {
        List<Neighbour> neighbours = [];
        for (; bytes.Length >= WireBytes; bytes = bytes[WireBytes..])
        {
            neighbours.Add(new Neighbour(BinaryPrimitives.ReadUInt32BigEndian(bytes), new PhysicalAddress(bytes[sizeof(uint)..WireBytes].ToArray())));
        }

        return neighbours;
    }
}
