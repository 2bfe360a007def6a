using System.Net;
using System.Net.Sockets;
using System.Text;
using TwinKernel.Fleet.GuestAgent.Probation;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>
/// The service that an observer outside watches: a datagram of up to 64 bytes comes back with the 36 characters of this kernel's
/// boot id behind it; longer ones are dropped. One thread, blocking calls, nothing allocated per datagram: it answers
/// while the rest of the agent is busy, and until the last instruction before a park.
/// </summary>
public sealed class UdpEcho : IDisposable
{
    public const int Port = 7777;
    public const int MaxRequestBytes = 64;
    private readonly Socket _socket;
    private readonly byte[] _bootId;

    public UdpEcho(string bootId, IPEndPoint endPoint)
    {
        _bootId = Encoding.ASCII.GetBytes(bootId);
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        OutputPlug.Exempt(_socket);
        _socket.Bind(endPoint);
        EndPoint = (IPEndPoint)_socket.LocalEndPoint!;
    }

    public IPEndPoint EndPoint { get; }

    public void Start() => new Thread(Serve) { IsBackground = true, Name = "udp-echo" }.Start();

    /// <summary>Has the service in this kernel answer a few times, over the loopback interface. Nothing happens where there is none.</summary>
    public static void Rehearse()
    {
        try
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 100 };
            socket.Connect(new IPEndPoint(IPAddress.Loopback, Port));
            Span<byte> answer = stackalloc byte[2 * MaxRequestBytes];
            for (int round = 0; round < 10; round++)
            {
                socket.Send("rehearsal"u8);
                socket.Receive(answer);
            }
        }
        catch (SocketException)
        {
            // It is not here, or is late.
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Serve()
    {
        byte[] buffer = new byte[MaxRequestBytes + _bootId.Length + 1];
        SocketAddress sender = new(AddressFamily.InterNetwork);
        while (true)
        {
            try
            {
                int length = _socket.ReceiveFrom(buffer.AsSpan(0, MaxRequestBytes + 1), SocketFlags.None, sender);
                if (length > MaxRequestBytes)
                {
                    continue;
                }

                _bootId.CopyTo(buffer, length);
                _socket.SendTo(buffer.AsSpan(0, length + _bootId.Length), SocketFlags.None, sender);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException error)
            {
                if (error.SocketErrorCode is SocketError.OperationAborted or SocketError.Interrupted or SocketError.NotSocket)
                {
                    return;
                }

                // An answer that cannot be sent (no route while the card moves) is lost, as datagrams are.
            }
        }
    }
}
