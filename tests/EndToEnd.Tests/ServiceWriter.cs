using System.Data.Common;
using System.Diagnostics;
using System.Net.Sockets;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>One connection of a <see cref="ServiceWriter"/>. What it throws means that the connection is of no use any more.</summary>
internal interface IWriterConnection : IDisposable
{
    /// <returns>Which process of the service it leads to.</returns>
    Task<string> ServerAsync(CancellationToken late);

    /// <returns>Why it was refused; null: it was acknowledged.</returns>
    Task<string?> WriteAsync(long key, CancellationToken late);

    /// <summary>Asks for a key. As <see cref="WriteAsync"/>.</summary>
    Task<string?> ReadAsync(CancellationToken late);

    /// <returns>Those of the keys that are not there.</returns>
    Task<IReadOnlyList<long>> MissingAsync(long[] keys);
}

/// <summary>
/// A client that writes all the time, each key once, and remembers what was acknowledged. One that gets no answer in time is given up with its
/// connection: whether it was executed is not known, and nothing is claimed of it.
/// </summary>
internal abstract class ServiceWriter : IAsyncDisposable
{
    /// <summary>For a service that is made anew in each boot: an emulated machine takes a minute for initdb when it is busy.</summary>
    public const int BootMinutes = 3;

    private readonly Func<CancellationToken, Task<IWriterConnection>> _connect;
    private readonly TimeSpan _patience;
    private readonly TimeSpan _pause;
    private readonly bool _reads;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<long> _acknowledged = [];
    private readonly List<Answer> _answers = [];
    private readonly List<string> _refused = [];
    private readonly Task _writing;
    private TimeSpan _longestGap;

    /// <param name="patience">For an answer, and for a connection with the first one.</param>
    /// <param name="pause">Between two requests: a service that takes all of an emulated processor for each leaves none for an upgrade.</param>
    /// <param name="reads">For comparison: it asks for a key, and so nothing can be missing.</param>
    protected ServiceWriter(Func<CancellationToken, Task<IWriterConnection>> connect, TimeSpan patience, TimeSpan pause, bool reads)
    {
        (_connect, _patience, _pause, _reads) = (connect, patience, pause, reads);
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

    /// <param name="Server">Which process of the service has answered: each kernel has its own, and no connection outlives the change from one to the other.</param>
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

    /// <summary>What kernel B has acknowledged before its commit began.</summary>
    public Answer[] InTheProbation(Upgrade upgrade)
    {
        DateTimeOffset commit = upgrade.Steps.Last(step => step.Step == "Commit").Started.ToDateTimeOffset();
        return [.. Answers.Where(answer => answer.Server == Servers[^1].Server && answer.At < commit)];
    }

    public string LatencyOf(Upgrade upgrade) =>
        $"in the probation {Quartiles(InTheProbation(upgrade))}, behind the upgrade {Quartiles(Answers.Where(answer => answer.At > upgrade.Finished.ToDateTimeOffset()))}";

    /// <summary>Milliseconds from the last answer of the process before to the first of the latest.</summary>
    public double GapBetweenServers()
    {
        IReadOnlyList<Answer> answers = Answers;
        return answers.Zip(answers.Skip(1)).Where(pair => pair.First.Server != pair.Second.Server).Select(pair => (pair.Second.At - pair.First.At).TotalMilliseconds).LastOrDefault();
    }

    public static string Quartiles(IEnumerable<Answer> answers)
    {
        double[] latencies = [.. answers.Select(answer => answer.Latency.TotalMilliseconds).Order()];
        return latencies.Length == 0 ? "no write" : $"{latencies.Length} writes: {string.Join('/', new[] { 1, 2, 3 }.Select(quarter => $"{latencies[latencies.Length * quarter / 4]:0.0}"))} ms";
    }

    /// <summary>Waits until writes are acknowledged, from now on.</summary>
    /// <param name="minutes">More than the one of a service that has to be made first.</param>
    public Task AcknowledgesAsync(int minutes = 1)
    {
        int before = Acknowledged;
        return Eventually.TrueAsync(TimeSpan.FromMinutes(minutes), "writes are acknowledged", () => Task.FromResult(Acknowledged > before + 100));
    }

    /// <summary>Ends it, and reads back everything that was acknowledged.</summary>
    /// <returns>What is not there.</returns>
    public async Task<IReadOnlyList<long>> MissingAsync()
    {
        await _stop.CancelAsync();
        await _writing;
        using CancellationTokenSource late = new(TimeSpan.FromSeconds(30));
        using IWriterConnection connection = await _connect(late.Token);
        List<long> missing = [];
        foreach (long[] keys in _acknowledged.Chunk(500))
        {
            missing.AddRange(await connection.MissingAsync(keys));
        }

        return missing;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _writing;
        _stop.Dispose();
    }

    private async Task WriteAsync()
    {
        IWriterConnection? connection = null;
        string server = "";
        long? last = null;
        for (long key = 0; !_stop.IsCancellationRequested; key++)
        {
            try
            {
                using CancellationTokenSource late = new(_patience);
                if (connection is null)
                {
                    connection = await _connect(late.Token);
                    server = await connection.ServerAsync(late.Token);
                }

                long asked = Stopwatch.GetTimestamp();
                string? refusal = _reads ? await connection.ReadAsync(late.Token) : await connection.WriteAsync(key, late.Token);
                lock (_lock)
                {
                    if (refusal is null)
                    {
                        _acknowledged.Add(key);
                        _answers.Add(new Answer(server, TimeProvider.System.GetUtcNow(), Stopwatch.GetElapsedTime(asked)));
                        TimeSpan gap = last is { } before ? Stopwatch.GetElapsedTime(before) : TimeSpan.Zero;
                        (last, _longestGap) = (Stopwatch.GetTimestamp(), gap > _longestGap ? gap : _longestGap);
                    }
                    else
                    {
                        _refused.Add(refusal);
                    }
                }

                await Task.Delay(_pause, CancellationToken.None);
            }
            catch (Exception error) when (error is IOException or SocketException or OperationCanceledException or DbException or TimeoutException)
            {
                connection?.Dispose();
                connection = null;
            }
        }

        connection?.Dispose();
    }
}
