using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace TwinKernel.Fleet.Probe.Tests;

/// <summary>Echoes what comes in, over TCP and UDP on one port of loopback, but when it is told to be silent; knows how long it really was.</summary>
internal sealed class StallingServer : IDisposable
{
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Socket datagrams = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly ConcurrentBag<Socket> connections = [];
    private readonly Lock turn = new();
    private volatile bool dropping;

    public StallingServer()
    {
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        datagrams.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        listener.Listen(4096); // more than any test sends: a server that gets no processor for a second refuses nobody
        Begin(Accept);
        Begin(() => Echo(datagrams));
    }

    public int Port { get; }

    /// <summary>Answers nothing; what comes in meanwhile is answered afterwards. The true length.</summary>
    public TimeSpan Stall(TimeSpan length)
    {
        lock (turn)
        {
            long begin = Stopwatch.GetTimestamp();
            Thread.Sleep(length);
            return Stopwatch.GetElapsedTime(begin);
        }
    }

    /// <summary>Answers nothing, and never will what comes in meanwhile.</summary>
    public void Drop(bool drop) => dropping = drop;

    public void CloseConnections()
    {
        while (connections.TryTake(out Socket? connection))
        {
            connection.Dispose();
        }
    }

    public void Dispose()
    {
        listener.Dispose();
        datagrams.Dispose();
        CloseConnections();
    }

    private static void Begin(ThreadStart work) => new Thread(() =>
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    })
    {
        IsBackground = true,
    }.Start();

    private void Accept()
    {
        while (true)
        {
            Socket connection = listener.Accept();
            connections.Add(connection);
            Begin(() => Echo(connection));
        }
    }

    private void Echo(Socket socket)
    {
        byte[] buffer = new byte[65_536];
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            int bytes = socket.ProtocolType == ProtocolType.Udp ? socket.ReceiveFrom(buffer, ref from) : socket.Receive(buffer);
            if (bytes == 0)
            {
                return;
            }

            lock (turn)
            {
                if (dropping)
                {
                    continue;
                }

                _ = socket.ProtocolType == ProtocolType.Udp ? socket.SendTo(buffer, bytes, SocketFlags.None, from) : socket.Send(buffer, bytes, SocketFlags.None);
            }
        }
    }
}
