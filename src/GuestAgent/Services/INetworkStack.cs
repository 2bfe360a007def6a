using System.Net;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>The kernel's IPv4 stack. A boundary: tests must not reconfigure the machine that they run on.</summary>
public interface INetworkStack
{
    /// <summary>
    /// Brings an interface up and gives it its address and its default route. Idempotent. The address comes when the link is there, or is not within a second: what arrived before
    /// would be answered into a link that drops all, the first question for a neighbour with it, and the next follows a second later.
    /// </summary>
    /// <param name="neighbours">That are known already, to be verified as they are used.</param>
    /// <exception cref="IOException">The kernel refuses; the message names the request.</exception>
    void Configure(string networkInterface, NetworkConfiguration configuration, params IReadOnlyList<Neighbour> neighbours);

    /// <summary>Brings an interface up, without an address, and leads what is for one host over it. Idempotent.</summary>
    /// <exception cref="IOException">As above.</exception>
    void RouteHost(string networkInterface, IPAddress host);

    /// <summary>Brings an interface down; its routes go with it. Idempotent.</summary>
    /// <exception cref="IOException">As above.</exception>
    void TakeDown(string networkInterface);

    /// <summary>Gives an interface that is down another name.</summary>
    /// <exception cref="IOException">As above; another has that name, for instance.</exception>
    void Rename(string networkInterface, string name);

    /// <summary>Exchanges ICMP echoes with a host, one after the other.</summary>
    /// <returns>How many were answered before <paramref name="patience"/> was over; 0 when none can be sent.</returns>
    int Ping(IPAddress host, int count, TimeSpan patience);

    /// <summary>
    /// Has the other ends of connections that are none of this kernel's ask about them: each answers a segment that does not fit with one of its own (RFC 9293, 3.10.7.4), which this kernel
    /// answers with a reset (3.10.7.1), since it knows no such connection. So a peer is told that does nothing but wait.
    /// </summary>
    /// <param name="own">The address of this end.</param>
    /// <returns>How many were asked; fewer when one could not be.</returns>
    int Tickle(IPAddress own, IReadOnlyList<TcpConnection> connections);

    /// <summary>Brings the loopback interface up.</summary>
    void BringUpLoopback();
}
