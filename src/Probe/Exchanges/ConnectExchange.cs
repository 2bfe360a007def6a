using System.Net;
using System.Net.Sockets;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>
/// A connection of its own for every request; that it is made is the answer. It is then reset, which leaves no state behind on either side:
/// at 1,000 a second the ports of this host would be used up within half a minute.
/// </summary>
internal sealed class ConnectExchange(IPEndPoint service, Measurement measurement, MonotonicClock clock) : IExchange
{
    private static readonly LingerOption ResetOnClose = new(true, 0);
    private readonly Dictionary<int, (Socket Socket, long Number)> _attempts = [];
    private readonly Dictionary<long, int> _tokens = [];
    private int _nextToken;

    public long Remade => 0;

    public void Send(long number)
    {
        Socket? socket = null;
        try
        {
            socket = new Socket(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { Blocking = false, LingerState = ResetOnClose };
            socket.Connect(service);
            measurement.Answer(number, clock.Now);
            socket.Dispose();
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            int token = _nextToken++ & int.MaxValue;
            _attempts[token] = (socket!, number);
            _tokens[number] = token;
        }
        catch (SocketException e)
        {
            measurement.Fail(number, Outcome.Of(e.SocketErrorCode));
            socket?.Dispose();
        }
    }

    public void Flush(long now)
    {
    }

    public void Watch(PollSet descriptors)
    {
        foreach ((int token, (Socket socket, _)) in _attempts)
        {
            descriptors.Add(socket.Handle, toWrite: true, token);
        }
    }

    public void Ready(int token)
    {
        (Socket socket, long number) = _attempts[token];
        var error = (SocketError)(int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
        if (error == SocketError.Success)
        {
            measurement.Answer(number, clock.Now);
        }
        else
        {
            measurement.Fail(number, Outcome.Of(error));
        }

        Expired(number);
    }

    public void Expired(long number)
    {
        if (_tokens.Remove(number, out int token) && _attempts.Remove(token, out var attempt))
        {
            attempt.Socket.Dispose();
        }
    }

    public void Dispose()
    {
        foreach ((Socket socket, _) in _attempts.Values)
        {
            socket.Dispose();
        }
    }
}
