using System.Net;
using System.Net.Sockets;

namespace TwinKernel.Fleet.Tests.Servers;

/// <summary>A port of loopback that nothing listened on just now, for what cannot choose one by itself.</summary>
public static class FreePort
{
    public static int Tcp() => Take(SocketType.Stream, ProtocolType.Tcp);

    public static int Udp() => Take(SocketType.Dgram, ProtocolType.Udp);

    private static int Take(SocketType type, ProtocolType protocol)
    {
        using Socket socket = new(AddressFamily.InterNetwork, type, protocol);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
