using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>The guest's static IPv4 configuration, the same before and after the cut-over.</summary>
/// <param name="Address">Its address.</param>
/// <param name="PrefixLength">0 to 32.</param>
/// <param name="Gateway">Next hop of the default route; null: none.</param>
public sealed record NetworkConfiguration(IPAddress Address, int PrefixLength, IPAddress? Gateway)
{
    public string Cidr => $"{Address}/{PrefixLength}";

    /// <summary>Network order, as <c>sockaddr_in</c> has it.</summary>
    public IPAddress Mask => new(IPAddress.HostToNetworkOrder(PrefixLength == 0 ? 0 : -1 << (32 - PrefixLength)) & 0xffffffffL);

    /// <summary>Reads <c>10.0.2.15/24</c> or <c>10.0.2.15/24,10.0.2.2</c>.</summary>
    /// <exception cref="FormatException">The text is something else; the message shows it.</exception>
    public static NetworkConfiguration Parse(string text)
    {
        string[] parts = text.Split(',');
        string[] address = parts[0].Split('/');
        return parts.Length <= 2 && address.Length == 2
            && TryIpv4(address[0], out IPAddress own)
            && int.TryParse(address[1], NumberStyles.None, CultureInfo.InvariantCulture, out int prefix) && prefix <= 32
            && (parts.Length == 1 | TryIpv4(parts[^1], out IPAddress gateway))
                ? new NetworkConfiguration(own, prefix, parts.Length == 2 ? gateway : null)
                : throw new FormatException($"'{text}' is not ADDRESS/PREFIX or ADDRESS/PREFIX,GATEWAY in IPv4.");
    }

    public override string ToString() => Gateway is null ? Cidr : $"{Cidr},{Gateway}";

    private static bool TryIpv4(string text, out IPAddress address) =>
        IPAddress.TryParse(text, out address!) && address.AddressFamily == AddressFamily.InterNetwork && text.Count(character => character == '.') == 3;
}
