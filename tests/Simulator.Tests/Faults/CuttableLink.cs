using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace TwinKernel.Fleet.Simulator.Tests.Faults;

/// <summary>
/// A way to a server on loopback that can be cut as a network is: what was on it is silent, nobody is told. After it is mended, the
/// connections from before are reset, as by a firewall that has forgotten them.
/// </summary>
internal sealed class CuttableLink : IAsyncDisposable
{
    private readonly IPEndPoint _server;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<Socket, bool> _open = [];
    private readonly Task _accepting;
    private volatile TaskCompletionSource _whole = Whole();

    public CuttableLink(int serverPort)
    {
        _server = new IPEndPoint(IPAddress.Loopback, serverPort);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    public void Cut() => _whole = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Mend()
    {
        foreach (Socket socket in _open.Keys)
        {
            Reset(socket);
        }

        _whole.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        Mend();
        await _accepting;
        _end.Dispose();
    }

    private static TaskCompletionSource Whole()
    {
        TaskCompletionSource whole = new();
        whole.SetResult();
        return whole;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptSocketAsync(_end.Token);
                _open[client] = true;
                _ = CarryAsync(client);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The link ends.
        }
    }

    private async Task CarryAsync(Socket client)
    {
        Socket server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _open[server] = true;
        client.NoDelay = true;
        try
        {
            await _whole.Task;
            await server.ConnectAsync(_server, _end.Token);
            await await Task.WhenAny(PumpAsync(client, server), PumpAsync(server, client));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side has gone; so does the other.
        }

        Reset(client);
        Reset(server);
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[64 << 10];
        while (await from.ReceiveAsync(buffer, _end.Token) is > 0 and var count)
        {
            await _whole.Task;
            for (int sent = 0; sent < count;)
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _end.Token);
            }
        }
    }

    private void Reset(Socket socket)
    {
        if (_open.TryRemove(socket, out _))
        {
            // Without a farewell.
            socket.Close(0);
        }
    }
}
