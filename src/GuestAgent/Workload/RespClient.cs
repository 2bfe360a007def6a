using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>A reply of Redis: a text, a number, or a list of replies.</summary>
internal sealed record RespReply(string? Text, long Number, IReadOnlyList<RespReply> Items);

/// <summary>The few words of Redis' protocol (RESP2) that a hand-over needs, to a server on loopback. Every wait has a deadline.</summary>
internal sealed class RespClient : IDisposable
{
    private const int LongestText = 1 << 20;
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly BufferedStream _stream;

    /// <summary>Connects.</summary>
    /// <param name="port">On loopback.</param>
    /// <param name="patience">Longest wait for any one reply.</param>
    /// <exception cref="IOException">Nobody accepts the connection.</exception>
    public RespClient(int port, TimeSpan patience)
    {
        _socket.ReceiveTimeout = _socket.SendTimeout = (int)patience.TotalMilliseconds;
        try
        {
            _socket.Connect(IPAddress.Loopback, port);
        }
        catch (SocketException error)
        {
            _socket.Dispose();
            throw new IOException($"Redis on port {port}: {error.Message}", error);
        }

        _stream = new BufferedStream(new NetworkStream(_socket, ownsSocket: true));
    }

    /// <summary>Sends a command; its reply is to be received later.</summary>
    /// <exception cref="IOException">The server is gone.</exception>
    public void Send(params ReadOnlySpan<string> command)
    {
        StringBuilder text = new($"*{command.Length}\r\n");
        foreach (string word in command)
        {
            text.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        }

        _socket.Send(Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>The next reply.</summary>
    /// <exception cref="IOException">It is an error, none came in time, or it makes no sense.</exception>
    public RespReply Receive()
    {
        string line = Line();
        string rest = line.Length > 0 ? line[1..] : "";
        switch (line.FirstOrDefault())
        {
            case '+':
                return new RespReply(rest, 0, []);
            case '-':
                throw new IOException($"Redis refuses: {rest}");
            case ':':
                return new RespReply(null, Number(rest), []);
            case '$' when Number(rest) is var length:
                return new RespReply(length < 0 ? null : Text(length), 0, []);
            case '*' when Number(rest) is var count and <= 1024:
                return new RespReply(null, 0, [.. Enumerable.Range(0, (int)Math.Max(count, 0)).Select(_ => Receive())]);
            default:
                throw new IOException($"Redis answers '{line}', which is no reply.");
        }
    }

    /// <summary>A command and its reply.</summary>
    /// <inheritdoc cref="Receive" path="/exception"/>
    public RespReply Ask(params ReadOnlySpan<string> command)
    {
        Send(command);
        return Receive();
    }

    public void Dispose() => _stream.Dispose();

    private static long Number(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : throw new IOException($"Redis answers '{text}' for a number.");

    private string Text(long length)
    {
        byte[] bytes = new byte[length <= LongestText ? length + 2 : throw new IOException($"Redis answers with {length} bytes.")];
        _stream.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes, 0, (int)length);
    }

    private string Line()
    {
        StringBuilder line = new();
        int next;
        while ((next = _stream.ReadByte()) != '\n')
        {
            line.Append(next >= 0 && line.Length < LongestText ? (char)next : throw new IOException("Redis closed the connection."));
        }

        return line.ToString().TrimEnd('\r');
    }
}
