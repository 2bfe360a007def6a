using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TwinKernel.Fleet.HostAgent.Tests.Observation;

/// <summary>The guest's observed service, played on loopback: the request and the boot id of who answers.</summary>
internal sealed class EchoService : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 50 };
    private readonly Thread _thread;
    private volatile bool _ended;

    public EchoService()
    {
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Address = (IPEndPoint)_socket.LocalEndPoint!;
        _thread = new Thread(Answer) { IsBackground = true };
        _thread.Start();
    }

    public IPEndPoint Address { get; }

    public volatile string BootId = Guid.NewGuid().ToString();

    public volatile bool Silent;

    public void Dispose()
    {
        _ended = true;
        _thread.Join();
        _socket.Dispose();
    }

    private void Answer()
    {
        byte[] buffer = new byte[256];
        EndPoint from = new IPEndPoint(IPAddress.Loopback, 0);
        while (!_ended)
        {
            try
            {
                int bytes = _socket.ReceiveFrom(buffer, ref from);
                if (!Silent)
                {
                    _socket.SendTo([.. buffer.AsSpan(0, bytes), .. Encoding.ASCII.GetBytes(BootId)], from);
                }
            }
            catch (SocketException)
            {
                // Nothing came, or the asker is gone.
            }
        }
    }
}
