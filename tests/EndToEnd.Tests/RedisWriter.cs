using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>
/// A client that writes without pause, each key once, and remembers what was acknowledged. One that gets no answer in time is given up with its
/// connection: whether it was executed is not known, and nothing is claimed of it.
/// </summary>
internal sealed class RedisWriter : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);
    private readonly int _port;
    private readonly bool _reads;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<long> _acknowledged = [];
    private readonly List<Answer> _answers = [];
    private readonly List<string> _refused = [];
    private readonly Task _writing;
    private TimeSpan _longestGap;

    /// <param name="port">On loopback.</param>
    /// <param name="reads">For comparison: it asks for a key, and so nothing can be missing.</param>
    public RedisWriter(int port, bool reads = false)
    {
        (_port, _reads) = (port, reads);
        _writing = WriteAsync();
    }

    public int Acknowledged
    {
        get
        {
            lock (_lock)
            {
                return _acknowledged.Count;
            }
        }
    }

    /// <param name="Server">Which process of Redis has answered: each kernel has its own, and no connection outlives the change from one to the other.</param>
    public sealed record Answer(string Server, DateTimeOffset At, TimeSpan Latency);

    /// <summary>All acknowledgements so far, in their order.</summary>
    public IReadOnlyList<Answer> Answers
    {
        get
        {
            lock (_lock)
            {
                return [.. _answers];
            }
        }
    }

    /// <summary>Which processes have answered, one after the other, and how often.</summary>
    public IReadOnlyList<(string Server, int Answers)> Servers
    {
        get
        {
            List<(string Server, int Answers)> servers = [];
            foreach (Answer answer in Answers)
            {
                if (servers is [.., var last] && last.Server == answer.Server)
                {
                    servers[^1] = (last.Server, last.Answers + 1);
                }
                else
                {
                    servers.Add((answer.Server, 1));
                }
            }

            return servers;
        }
    }

    /// <summary>Longest time between two acknowledgements.</summary>
    public TimeSpan LongestGap => _longestGap;

    /// <summary>Error replies.</summary>
    public IReadOnlyList<string> Refused => _refused;

    /// <summary>Waits until writes are acknowledged, from now on.</summary>
    public Task AcknowledgesAsync()
    {
        int before = Acknowledged;
        return Eventually.TrueAsync(TimeSpan.FromMinutes(1), "writes are acknowledged", () => Task.FromResult(Acknowledged > before + 100));
    }

    /// <summary>Ends it, and reads back everything that was acknowledged.</summary>
    /// <returns>What is not there.</returns>
    public async Task<IReadOnlyList<long>> MissingAsync()
    {
        await _stop.CancelAsync();
        await _writing;
        using TcpClient client = new();
        await client.ConnectAsync("127.0.0.1", _port);
        using StreamReader reader = new(client.GetStream(), Encoding.ASCII);
        List<long> missing = [];
        foreach (long[] keys in _acknowledged.Chunk(500))
        {
            await client.GetStream().WriteAsync(Command(["MGET", .. keys.Select(key => $"w:{key}")]));
            (await reader.ReadLineAsync()).ShouldBe($"*{keys.Length}");
            foreach (long key in keys)
            {
                string? value = await reader.ReadLineAsync() == "$-1" ? null : await reader.ReadLineAsync();
                if (value != key.ToString(CultureInfo.InvariantCulture))
                {
                    missing.Add(key);
                }
            }
        }

        return missing;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _writing;
        _stop.Dispose();
    }

    private static byte[] Command(params IReadOnlyList<string> words) =>
        Encoding.ASCII.GetBytes($"*{words.Count}\r\n{string.Concat(words.Select(word => $"${word.Length}\r\n{word}\r\n"))}");

    /// <summary>Reads a whole answer: a line, or a text with its length in front.</summary>
    private static async Task<string> AnswerAsync(NetworkStream stream, CancellationToken late)
    {
        byte[] bytes = new byte[8192];
        int length = 0, needed = 0;
        while (length == 0 || bytes[length - 1] != '\n' || length < needed)
        {
            int count = await stream.ReadAsync(bytes.AsMemory(length), late);
            length += count > 0 ? count : throw new IOException("closed");
            int line = bytes.AsSpan(0, length).IndexOf((byte)'\n') + 1;
            needed = bytes[0] == '$' && line > 0 && int.Parse(Encoding.ASCII.GetString(bytes, 1, line - 3), CultureInfo.InvariantCulture) is >= 0 and var text ? line + text + 2 : 0;
        }

        return Encoding.ASCII.GetString(bytes, 0, length);
    }

    private async Task WriteAsync()
    {
        TcpClient? client = null;
        string server = "";
        long last = Stopwatch.GetTimestamp();
        for (long key = 0; !_stop.IsCancellationRequested; key++)
        {
            try
            {
                if (client is null)
                {
                    client = new TcpClient { NoDelay = true };
                    await client.ConnectAsync("127.0.0.1", _port);
                    server = "";
                }

                using CancellationTokenSource late = new(Patience);
                NetworkStream stream = client.GetStream();
                if (server.Length == 0)
                {
                    await stream.WriteAsync(Command(["INFO", "server"]), late.Token);
                    server = (await AnswerAsync(stream, late.Token)).Split("\r\n").FirstOrDefault(line => line.StartsWith("run_id:", StringComparison.Ordinal), "one that does not say");
                }

                long asked = Stopwatch.GetTimestamp();
                await stream.WriteAsync(_reads ? Command(["GET", "w:0"]) : Command(["SET", $"w:{key}", key.ToString(CultureInfo.InvariantCulture)]), late.Token);
                string text = await AnswerAsync(stream, late.Token);
                lock (_lock)
                {
                    if (text == "+OK\r\n" || (_reads && text[0] == '$'))
                    {
                        _acknowledged.Add(key);
                        _answers.Add(new Answer(server, TimeProvider.System.GetUtcNow(), Stopwatch.GetElapsedTime(asked)));
                        TimeSpan gap = Stopwatch.GetElapsedTime(last);
                        (last, _longestGap) = (Stopwatch.GetTimestamp(), gap > _longestGap ? gap : _longestGap);
                    }
                    else
                    {
                        _refused.Add(text.Trim());
                    }
                }
            }
            catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
            {
                client?.Dispose();
                client = null;
            }
        }

        client?.Dispose();
    }
}
