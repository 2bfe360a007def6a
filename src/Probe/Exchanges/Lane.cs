using System.Net;
using System.Net.Sockets;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>
/// One connection that is kept. It is made by the first request, and made again by the first after it broke; requests that
/// are due meanwhile wait for it. Many requests may be on their way, and their answers come in their order.
/// </summary>
internal sealed class Lane(IPEndPoint service, IDialogue dialogue, Measurement measurement, MonotonicClock clock) : IDisposable
{
    private const int LongestAnswer = 65_536;

    /// <summary>A SYN that was lost is sent again by the system after 1 s; a machine that comes back is to be found earlier.</summary>
    private const long FirstConnectPatience = 200_000_000;
    private readonly Queue<long> _waiting = new();
    private readonly ByteQueue _out = new();
    private readonly ByteQueue _in = new();
    private Socket? _socket;
    private bool _connected;
    private long _attempted;
    private long _connectPatience = FirstConnectPatience;
    private bool _everConnected;

    /// <summary>How often it was made again.</summary>
    public long Remade { get; private set; }

    public void Send(long number)
    {
        _waiting.Enqueue(number);
        if (_connected)
        {
            dialogue.Write(number, _out);
        }
        else if (_socket is null)
        {
            Connect();
        }
    }

    public void Flush(long now)
    {
        if (_socket is not null && !_connected && now - _attempted > _connectPatience)
        {
            _connectPatience *= 2;
            _socket.Dispose();
            Connect();
        }

        if (_socket is null || !_connected || _out.Length == 0)
        {
            return;
        }

        int bytes = _socket.Send(_out.Waiting, SocketFlags.None, out SocketError error);
        if (error == SocketError.Success)
        {
            _out.Take(bytes);
        }
        else if (error != SocketError.WouldBlock)
        {
            Break(Outcome.Of(error));
        }
    }

    public void Watch(PollSet descriptors, int token)
    {
        if (_socket is not null)
        {
            descriptors.Add(_socket.Handle, !_connected || _out.Length > 0, token);
        }
    }

    public void Ready()
    {
        if (_socket is null)
        {
            return;
        }

        if (!_connected)
        {
            var error = (SocketError)(int)_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
            if (error != SocketError.Success)
            {
                Break(Outcome.Of(error));
                return;
            }

            Connected();
        }

        Receive();
        Flush(clock.Now);
    }

    /// <summary>Where a request on its way is unanswered for so long, the answers behind it will not come either.</summary>
    public void Expired(long number)
    {
        if (_connected)
        {
            Break(Outcome.Abandoned);
            return;
        }

        while (_waiting.TryPeek(out long oldest) && oldest <= number)
        {
            _waiting.Dequeue();
        }
    }

    public void Dispose() => _socket?.Dispose();

    private void Connect()
    {
        _connected = false;
        _attempted = clock.Now;
        _socket = new Socket(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { Blocking = false, NoDelay = true };
        try
        {
            _socket.Connect(service);
            Connected();
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // Whether it succeeds is known when it can be written to.
        }
        catch (SocketException e)
        {
            Break(Outcome.Of(e.SocketErrorCode));
        }
    }

    private void Connected()
    {
        Remade += _everConnected ? 1 : 0;
        (_connected, _everConnected, _connectPatience) = (true, true, FirstConnectPatience);
        dialogue.Open(_out);
        foreach (long number in _waiting)
        {
            dialogue.Write(number, _out);
        }
    }

    private void Receive()
    {
        int bytes = _socket!.Receive(_in.Room(16_384), SocketFlags.None, out SocketError error);
        long now = clock.Now;
        if (error == SocketError.WouldBlock)
        {
            return;
        }

        if (error != SocketError.Success || bytes == 0)
        {
            Break(error == SocketError.Success ? Outcome.Closed : Outcome.Of(error));
            return;
        }

        _in.Put(bytes);
        while (_in.Length > 0)
        {
            if (!_waiting.TryPeek(out long number))
            {
                // Something was said that nobody asked for: nothing on this connection can be trusted.
                Break(Outcome.WrongAnswer);
                return;
            }

            int taken = dialogue.Read(_in.Waiting, number, out string? fault);
            if (taken == 0)
            {
                if (_in.Length > LongestAnswer)
                {
                    Break(Outcome.WrongAnswer);
                }

                return;
            }

            _in.Take(taken);
            _waiting.Dequeue();
            if (fault is not null)
            {
                measurement.Fail(number, fault);
            }
            else if (measurement.Answer(number, now))
            {
                dialogue.Counted(number);
            }
        }
    }

    private void Break(string outcome)
    {
        _socket?.Dispose();
        _socket = null;
        _connected = false;
        _in.Clear();
        _out.Clear();
        while (_waiting.TryDequeue(out long number))
        {
            measurement.Fail(number, outcome);
        }
    }
}
