using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>
/// Datagrams of 16 bytes, a number of this run and the request's, which come back with anything behind them: what the guest's agent answers.
/// </summary>
internal sealed class UdpExchange : IExchange
{
    private const int RequestBytes = 16;
    private readonly Measurement _measurement;
    private readonly MonotonicClock _clock;
    private readonly Socket _socket;
    private readonly SocketAddress _service;
    private readonly byte[] _request = new byte[RequestBytes];
    private readonly byte[] _reply = new byte[2048];

    public UdpExchange(IPEndPoint service, Measurement measurement, MonotonicClock clock)
    {
        (_measurement, _clock, _service) = (measurement, clock, service.Serialize());
        _socket = new Socket(service.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { Blocking = false, ReceiveBufferSize = 1 << 20 };
        _socket.Bind(new IPEndPoint(service.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0));
        RandomNumberGenerator.Fill(_request.AsSpan(0, 8));
    }

    public long Remade => 0;

    public void Send(long number)
    {
        BinaryPrimitives.WriteInt64BigEndian(_request.AsSpan(8), number);
        try
        {
            _socket.SendTo(_request, SocketFlags.None, _service);
        }
        catch (SocketException e)
        {
            _measurement.Fail(number, Outcome.Of(e.SocketErrorCode));
        }
    }

    public void Flush(long now)
    {
    }

    public void Watch(PollSet descriptors) => descriptors.Add(_socket.Handle, toWrite: false, 0);

    public void Ready(int token)
    {
        while (true)
        {
            int bytes = _socket.Receive(_reply, SocketFlags.None, out SocketError error);
            if (error != SocketError.Success)
            {
                return;
            }

            if (bytes >= RequestBytes && _reply.AsSpan(0, 8).SequenceEqual(_request.AsSpan(0, 8)))
            {
                _measurement.Answer(BinaryPrimitives.ReadInt64BigEndian(_reply.AsSpan(8)), _clock.Now);
            }
        }
    }

    public void Expired(long number)
    {
    }

    public void Dispose() => _socket.Dispose();
}
