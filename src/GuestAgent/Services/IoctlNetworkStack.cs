using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using TwinKernel.Fleet.GuestAgent.KernelDevice;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>IPv4 configuration with the classic socket ioctls: a few system calls and no other program inside the gap (netdevice(7), arp(7), route's rtentry).</summary>
internal sealed unsafe class IoctlNetworkStack : INetworkStack
{
    private const int RequestBytes = 40; // struct ifreq
    private const int RouteBytes = 120; // struct rtentry
    private const int NeighbourBytes = 68; // struct arpreq
    private const int NameBytes = 16;
    private const uint AddRoute = 0x890b;
    private const uint GetFlags = 0x8913;
    private const uint SetFlags = 0x8914;
    private const uint SetAddress = 0x8916;
    private const uint SetMask = 0x891c;
    private const uint SetName = 0x8923;
    private const uint SetNeighbour = 0x8955;
    private const uint Ethtool = 0x8946;
    private const uint GetLink = 10; // ETHTOOL_GLINK
    private const short Up = 1;
    private const int Complete = 2; // ATF_COM
    private const ushort Ethernet = 1; // ARPHRD_ETHER
    private const ushort RouteUp = 1;
    private const ushort RouteGateway = 2;
    private const ushort RouteToHost = 4;
    private const int Internet = 2;
    private const int Datagram = 2;
    private static readonly TimeSpan LinkPatience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(1);

    public void Configure(string networkInterface, NetworkConfiguration configuration, params IReadOnlyList<Neighbour> neighbours)
    {
        using Handle socket = new();
        SetUp(socket, networkInterface, up: true);
        AwaitLink(socket, networkInterface);
        Span<byte> request = stackalloc byte[RequestBytes];
        SetSocketAddress(Named(request, networkInterface)[NameBytes..], configuration.Address);
        socket.Ask(SetAddress, request, "SIOCSIFADDR", networkInterface);
        SetSocketAddress(Named(request, networkInterface)[NameBytes..], configuration.Mask);
        socket.Ask(SetMask, request, "SIOCSIFNETMASK", networkInterface);
        foreach (Neighbour neighbour in neighbours)
        {
            Know(socket, networkInterface, neighbour);
        }

        if (configuration.Gateway is { } gateway)
        {
            AddRouteTo(socket, networkInterface, IPAddress.Any, IPAddress.Any, gateway, RouteUp | RouteGateway);
        }
    }

    public void RouteHost(string networkInterface, IPAddress host)
    {
        using Handle socket = new();
        SetUp(socket, networkInterface, up: true);
        AddRouteTo(socket, networkInterface, host, IPAddress.Broadcast, IPAddress.Any, RouteUp | RouteToHost);
    }

    public void TakeDown(string networkInterface)
    {
        using Handle socket = new();
        SetUp(socket, networkInterface, up: false);
    }

    public void Rename(string networkInterface, string name)
    {
        using Handle socket = new();
        Span<byte> request = stackalloc byte[RequestBytes];
        Encoding.ASCII.GetBytes(name, Named(request, networkInterface)[NameBytes..]);
        socket.Ask(SetName, request, "SIOCSIFNAME", networkInterface);
    }

    public int Ping(IPAddress host, int count, TimeSpan patience)
    {
        // An echo request of type 8 with nothing in it: its checksum is the complement of that.
        ReadOnlySpan<byte> request = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
        Span<byte> reply = stackalloc byte[128];
        int answered = 0;
        try
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp) { ReceiveTimeout = (int)patience.TotalMilliseconds };
            socket.Connect(new IPEndPoint(host, 0));
            for (; answered < count; answered++)
            {
                socket.Send(request);
                socket.Receive(reply);
            }
        }
        catch (SocketException)
        {
            // Not answered in time, or not possible.
        }

        return answered;
    }

    public int Tickle(IPAddress own, IReadOnlyList<TcpConnection> connections)
    {
        int asked = 0;
        try
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(own, 0));
            for (; asked < connections.Count; asked++)
            {
                socket.SendTo(TickleSegment.Of(connections[asked]), new IPEndPoint(connections[asked].Remote, 0));
            }
        }
        catch (SocketException)
        {
            // Those that are left will notice when they send something.
        }

        return asked;
    }

    public void BringUpLoopback()
    {
        using Handle socket = new();
        SetUp(socket, "lo", up: true);
    }

    private static void SetUp(Handle socket, string networkInterface, bool up)
    {
        Span<byte> request = stackalloc byte[RequestBytes];
        Named(request, networkInterface);
        socket.Ask(GetFlags, request, "SIOCGIFFLAGS", networkInterface);
        Span<byte> flags = request[NameBytes..];
        short before = BinaryPrimitives.ReadInt16LittleEndian(flags);
        BinaryPrimitives.WriteInt16LittleEndian(flags, (short)(up ? before | Up : before & ~Up));
        socket.Ask(SetFlags, request, "SIOCSIFFLAGS", networkInterface);
    }

    /// <summary>
    /// A driver notices its link in a worker of the kernel, which an urgent thread must let run: it sleeps, and does not yield. To ask has the queues told of a
    /// link that is there (<c>net/ethtool/ioctl.c</c>, <c>ethtool_op_get_link</c>). A driver that cannot be asked has none to wait for.
    /// </summary>
    private static void AwaitLink(Handle socket, string networkInterface)
    {
        Span<byte> request = stackalloc byte[RequestBytes];
        Span<uint> question = [GetLink, 0];
        long started = Stopwatch.GetTimestamp();
        fixed (uint* value = question)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(Named(request, networkInterface)[NameBytes..], (ulong)value);
            while (socket.Try(Ethtool, request) && question[1] == 0 && Stopwatch.GetElapsedTime(started) < LinkPatience)
            {
                Thread.Sleep(Look);
            }
        }
    }

    /// <summary>One that the kernel does not take is asked for when it is needed.</summary>
    private static void Know(Handle socket, string networkInterface, Neighbour neighbour)
    {
        Span<byte> request = stackalloc byte[NeighbourBytes];
        request.Clear();
        SetSocketAddress(request, neighbour.Host);
        BinaryPrimitives.WriteUInt16LittleEndian(request[16..], Ethernet);
        neighbour.Hardware.GetAddressBytes().CopyTo(request[18..]);
        BinaryPrimitives.WriteInt32LittleEndian(request[32..], Complete);
        Encoding.ASCII.GetBytes(networkInterface, request[52..]);
        socket.Try(SetNeighbour, request);
    }

    private static void AddRouteTo(Handle socket, string networkInterface, IPAddress destination, IPAddress mask, IPAddress gateway, ushort flags)
    {
        Span<byte> route = stackalloc byte[RouteBytes];
        Span<byte> name = stackalloc byte[NameBytes];
        route.Clear();
        name.Clear();
        Encoding.ASCII.GetBytes(networkInterface, name);
        SetSocketAddress(route[8..], destination);
        SetSocketAddress(route[24..], gateway);
        SetSocketAddress(route[40..], mask);
        BinaryPrimitives.WriteUInt16LittleEndian(route[56..], flags);
        fixed (byte* device = name)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(route[88..], (ulong)device);
            socket.Ask(AddRoute, route, "SIOCADDRT", networkInterface, Errno.EEXIST);
        }
    }

    private static Span<byte> Named(Span<byte> request, string networkInterface)
    {
        if (networkInterface.Length is 0 or >= NameBytes)
        {
            throw new IOException($"'{networkInterface}' is not the name of a network interface.");
        }

        request.Clear();
        Encoding.ASCII.GetBytes(networkInterface, request);
        return request;
    }

    private static void SetSocketAddress(Span<byte> target, IPAddress address)
    {
        target[..16].Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(target, Internet);
        address.TryWriteBytes(target[4..8], out _);
    }

    private readonly ref struct Handle
    {
        private readonly int _descriptor;

        public Handle()
        {
            _descriptor = Libc.Socket(Internet, Datagram, 0);
            if (_descriptor < 0)
            {
                throw new IOException($"socket: {(Errno)Marshal.GetLastPInvokeError()}");
            }
        }

        public void Dispose() => Libc.Close(_descriptor);

        public bool Try(uint number, Span<byte> argument)
        {
            fixed (byte* pointer = argument)
            {
                return Libc.Ioctl(_descriptor, number, pointer) >= 0;
            }
        }

        public void Ask(uint number, Span<byte> argument, string name, string networkInterface, Errno accepted = Errno.None)
        {
            fixed (byte* pointer = argument)
            {
                if (Libc.Ioctl(_descriptor, number, pointer) >= 0)
                {
                    return;
                }
            }

            Errno errno = (Errno)Marshal.GetLastPInvokeError();
            if (errno != accepted)
            {
                throw new IOException($"{name} on {networkInterface}: {errno}");
            }
        }
    }
}
