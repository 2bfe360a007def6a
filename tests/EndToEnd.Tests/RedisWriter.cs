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
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<long> _acknowledged = [];
    private readonly List<string> _refused = [];
    private readonly Task _writing;
    private TimeSpan _longestGap;

    public RedisWriter(int port)
    {
        _port = port;
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

    /// <summary>Longest time between two acknowledgements.</summary>
    public TimeSpan LongestGap => _longestGap;

    /// <summary>Error replies.</summary>
    public IReadOnlyList<string> Refused => _refused;

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

    private async Task WriteAsync()
    {
        TcpClient? client = null;
        byte[] answer = new byte[256];
        long last = Stopwatch.GetTimestamp();
        for (long key = 0; !_stop.IsCancellationRequested; key++)
        {
            try
            {
                if (client is null)
                {
                    client = new TcpClient { NoDelay = true };
                    await client.ConnectAsync("127.0.0.1", _port);
                }

                using CancellationTokenSource late = new(Patience);
                await client.GetStream().WriteAsync(Command(["SET", $"w:{key}", key.ToString(CultureInfo.InvariantCulture)]), late.Token);
                int length = await client.GetStream().ReadAsync(answer, late.Token);
                string text = length > 0 ? Encoding.ASCII.GetString(answer, 0, length) : throw new IOException("closed");
                lock (_lock)
                {
                    if (text == "+OK\r\n")
                    {
                        _acknowledged.Add(key);
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
