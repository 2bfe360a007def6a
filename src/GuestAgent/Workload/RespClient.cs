using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>A reply of Redis: a text, a number, a list of replies, or an error.</summary>
internal sealed record RespReply(string? Text, long Number, IReadOnlyList<RespReply> Items, string? Error = null);

/// <summary>The few words of Redis' protocol (RESP2) that a hand-over needs, to a server on loopback. Every wait has a deadline.</summary>
internal sealed class RespClient : IDisposable
{
    private const int LongestText = 512 << 20;
    private const int MostItems = 1 << 20;
    private readonly Socket _socket;
    private readonly BufferedStream _stream;

    /// <summary>Connects.</summary>
    /// <param name="port">On loopback.</param>
    /// <param name="patience">Longest wait for any one reply.</param>
    /// <exception cref="IOException">Nobody accepts the connection.</exception>
    public RespClient(int port, TimeSpan patience)
        : this(Connect(port), patience)
    {
    }

    /// <summary>Over a connection that there is, whoever made it.</summary>
    /// <inheritdoc cref="RespClient(int, TimeSpan)" path="/param"/>
    public RespClient(Socket socket, TimeSpan patience)
    {
        _socket = socket;
        _socket.NoDelay = true;
        _socket.ReceiveTimeout = _socket.SendTimeout = (int)patience.TotalMilliseconds;
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

        Send(Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>Sends commands that are in the protocol's form already.</summary>
    /// <exception cref="IOException">The server is gone, or takes nothing in.</exception>
    public void Send(ReadOnlySpan<byte> commands)
    {
        try
        {
            while (!commands.IsEmpty)
            {
                commands = commands[_socket.Send(commands)..];
            }
        }
        catch (SocketException error)
        {
            throw new IOException($"Redis takes nothing in: {error.Message}", error);
        }
    }

    /// <summary>The next reply.</summary>
    /// <exception cref="IOException">It is an error, none came in time, or it makes no sense.</exception>
    public RespReply Receive()
    {
        RespReply reply = Read();
        return reply.Error is { } refusal ? throw new IOException($"Redis refuses: {refusal}") : reply;
    }

    /// <summary>A field of INFO. Null: the server does not tell it.</summary>
    /// <param name="section">Such as "stats".</param>
    /// <exception cref="IOException">As <see cref="Receive"/>.</exception>
    public string? Info(string section, string field) =>
        (Ask("INFO", section).Text ?? "").Split("\r\n").FirstOrDefault(line => line.StartsWith($"{field}:", StringComparison.Ordinal))?[(field.Length + 1)..];

    /// <summary>What comes as it comes, at least one byte: the stream behind the answer to PSYNC.</summary>
    /// <param name="bytes">No longer than what is known to come: some of it may be here already, and it is waited for more.</param>
    /// <exception cref="IOException">Nothing came in time, or the server is gone.</exception>
    public int Read(Span<byte> bytes) => _stream.Read(bytes) is > 0 and var count ? count : throw new IOException("Redis closed the connection.");

    /// <summary>The next reply, which may be an error, or have some in its list.</summary>
    /// <exception cref="IOException">None came in time, or it makes no sense.</exception>
    public RespReply Read()
    {
        string line = Line();
        string rest = line.Length > 0 ? line[1..] : "";
        switch (line.FirstOrDefault())
        {
            case '+':
                return new RespReply(rest, 0, []);
            case '-':
                return new RespReply(null, 0, [], rest);
            case ':':
                return new RespReply(null, Number(rest), []);
            case '$' when Number(rest) is var length:
                return new RespReply(length < 0 ? null : Text(length), 0, []);
            case '*' when Number(rest) is var count and <= MostItems:
                return new RespReply(null, 0, [.. Enumerable.Range(0, (int)Math.Max(count, 0)).Select(_ => Read())]);
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

    private static Socket Connect(int port)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            return socket;
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw new IOException($"Redis on port {port}: {error.Message}", error);
        }
    }

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
