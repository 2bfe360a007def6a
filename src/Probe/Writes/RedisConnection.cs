using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TwinKernel.Fleet.Probe.Writes;

/// <summary>Asks a Redis one command after the other. Not for measuring.</summary>
internal sealed class RedisConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly BufferedStream _stream;

    /// <exception cref="SocketException">It cannot be reached.</exception>
    public RedisConnection(IPEndPoint service, TimeSpan timeout)
    {
        int milliseconds = (int)timeout.TotalMilliseconds;
        _socket = new Socket(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendTimeout = milliseconds, ReceiveTimeout = milliseconds };
        try
        {
            _socket.Connect(service);
            _stream = new BufferedStream(new NetworkStream(_socket), 65_536);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends a command, and returns each text of its answer: one, or those of an array.</summary>
    /// <exception cref="IOException">The connection broke, or the answer took longer than the timeout.</exception>
    /// <exception cref="InvalidDataException">The service answered with an error, or it is no Redis.</exception>
    public IReadOnlyList<string?> Ask(IReadOnlyList<string> command)
    {
        var request = new StringBuilder($"*{command.Count}\r\n");
        foreach (string word in command)
        {
            request.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        }

        _stream.Write(Encoding.UTF8.GetBytes(request.ToString()));
        _stream.Flush();
        string line = Line();
        if (line is not ['*', .. var count])
        {
            return [Text(line)];
        }

        string?[] texts = new string?[Number(count)];
        for (int index = 0; index < texts.Length; index++)
        {
            texts[index] = Text(Line());
        }

        return texts;
    }

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }

    private string? Text(string line)
    {
        switch (line)
        {
            case ['+' or ':', .. var text]:
                return text;
            case "$-1":
                return null;
            case ['$', .. var length]:
                byte[] bytes = new byte[Number(length) + 2];
                _stream.ReadExactly(bytes);
                return Encoding.UTF8.GetString(bytes, 0, bytes.Length - 2);
            case ['-', .. var error]:
                throw new InvalidDataException(error);
            default:
                throw new InvalidDataException($"\"{line}\" is not an answer of a Redis");
        }
    }

    private string Line()
    {
        var line = new StringBuilder();
        while (true)
        {
            int character = _stream.ReadByte();
            switch (character)
            {
                case -1:
                    throw new EndOfStreamException("the service closed the connection");
                case '\n':
                    return line.ToString().TrimEnd('\r');
                default:
                    line.Append((char)character);
                    if (line.Length > 4096)
                    {
                        throw new InvalidDataException("an answer has a line of more than 4,096 characters");
                    }

                    break;
            }
        }
    }

    private static int Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= 16 * 1024 * 1024
            ? number
            : throw new InvalidDataException($"\"{text}\" is not a length of a Redis answer");
}
