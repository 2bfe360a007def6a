using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime;
using System.Security.Cryptography;
using TwinKernel.Fleet.Probe.Exchanges;
using TwinKernel.Fleet.Probe.Measuring;
using TwinKernel.Fleet.Probe.Writes;

namespace TwinKernel.Fleet.Probe;

/// <summary>
/// Asks a service at a fixed rate, open loop: request n is due at n intervals after the start, whatever became of those before, and its
/// latency counts from then. One thread sends, receives and keeps the deadlines, on one monotonic clock.
/// </summary>
public sealed class ProbeRun(ProbeSettings settings)
{
    private const long Second = 1_000_000_000;

    /// <summary>How long a stop, or an answer that a pool thread took, may lie unseen.</summary>
    private const long LongestWait = 20_000_000;

    /// <summary>For the connections and the first, slow passes through the code.</summary>
    private const long WarmUp = 200_000_000;
    private const int WarmUpRounds = 20;

    /// <summary>What has fallen due is sent in portions, so that each is timed.</summary>
    private const int MostAtOnce = 32;
    private readonly MonotonicClock _clock = new();
    private readonly ConcurrentQueue<(string? Name, long At)> _marks = new();
    private volatile bool _stopped;
    private volatile bool _begun;

    /// <summary>Requests that are due from now on belong to another phase. From any thread.</summary>
    /// <param name="phase">Its name; null: "during", and from then on "after".</param>
    public void Mark(string? phase = null) => _marks.Enqueue((phase, _begun ? _clock.Now : 0));

    /// <summary>No more requests are due; those on their way are still waited for. From any thread.</summary>
    public void Stop() => _stopped = true;

    /// <summary>Runs to the end of the duration or until it is stopped.</summary>
    /// <param name="eachSecond">Told of each second, on a thread that does not measure.</param>
    /// <exception cref="ArgumentException">The settings are wrong; the message holds every reason.</exception>
    /// <exception cref="ProbeException">The service's host has no address, or the service is not there for writes.</exception>
    public async Task<ProbeReport> RunAsync(Action<ProbeSecond>? eachSecond = null)
    {
        if (settings.Problems().ToList() is { Count: > 0 } problems)
        {
            throw new ArgumentException(string.Join(' ', problems));
        }

        IPEndPoint service = await ResolveAsync().ConfigureAwait(false);
        WriteLog? writes = settings.Writes ? new WriteLog(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))) : null;
        WriteCheck? check = writes is null ? null : new WriteCheck(() => Store(service, writes), writes);
        if (check is not null && settings.Service.Protocol == ServiceProtocol.Postgres && await OnOwnThread(check.Prepare).ConfigureAwait(false) is { } problem)
        {
            throw new ProbeException($"{settings.Service}: {problem}");
        }

        RequestRecord? record = settings.Record is null ? null : new RequestRecord(settings.Record, number => number * Nanoseconds(settings.Interval));
        var measurement = new Measurement(Nanoseconds(settings.Interval), Nanoseconds(settings.Timeout), Nanoseconds(settings.GapThreshold), record is null ? null : record.Add);
        record?.Begin();
        using var seconds = new BlockingCollection<ProbeSecond>();
        Task<bool> told = OnOwnThread(() => Tell(seconds, eachSecond));
        long reconnects = await OnOwnThread(() => Run(measurement, service, writes, seconds)).ConfigureAwait(false);
        await told.ConfigureAwait(false);
        if (record is not null)
        {
            await record.EndAsync().ConfigureAwait(false);
        }

        WritesReport? written = check is null ? null : await OnOwnThread(() => Check(check, writes!, measurement)).ConfigureAwait(false);
        return measurement.ToReport(settings, reconnects, written);
    }

    private long Run(Measurement measurement, IPEndPoint service, WriteLog? writes, BlockingCollection<ProbeSecond> seconds)
    {
        GCLatencyMode before = GCSettings.LatencyMode;
        GCSettings.LatencyMode = GCLatencyMode.SustainedLowLatency;
        Punctuality.OfThisThread();
        try
        {
            using IExchange exchange = Exchange(measurement, service, writes);
            var descriptors = new PollSet();
            Rehearse(measurement.Due(1));
            WarmUpWith(exchange, descriptors);
            _clock.Restart();
            _begun = true;
            Measure(measurement, exchange, descriptors, seconds);
            return exchange.Remade;
        }
        finally
        {
            seconds.CompleteAdding();
            GCSettings.LatencyMode = before;
        }
    }

    /// <summary>
    /// A thread waits for this from the start: to wake the pool may be to start a thread of it, and on a busy core the thread that
    /// measures would wait for that one to run.
    /// </summary>
    private static bool Tell(BlockingCollection<ProbeSecond> seconds, Action<ProbeSecond>? eachSecond)
    {
        foreach (ProbeSecond second in seconds.GetConsumingEnumerable())
        {
            eachSecond?.Invoke(second);
        }

        return true;
    }

    /// <summary>What is compiled at its first use is compiled before it counts.</summary>
    private static void Rehearse(long interval)
    {
        var rehearsal = new Measurement(interval, interval * 8, interval, (_, _, _) => { });
        for (int round = 0; round < WarmUpRounds; round++)
        {
            rehearsal.Send(rehearsal.Due(rehearsal.Next));
            rehearsal.Answer(rehearsal.Next - 1, rehearsal.Due(rehearsal.Next));
            rehearsal.Send(rehearsal.Due(rehearsal.Next));
            rehearsal.Expire(rehearsal.Due(rehearsal.Next + 8), _ => { });
            rehearsal.TakeSecond(rehearsal.Due(rehearsal.Next));
        }
    }

    private void WarmUpWith(IExchange exchange, PollSet descriptors)
    {
        for (int round = 0; round < WarmUpRounds && !_stopped; round++)
        {
            for (int connection = 0; connection < settings.Connections; connection++)
            {
                exchange.Send(~((round * settings.Connections) + connection));
            }

            for (long until = _clock.Now + (WarmUp / WarmUpRounds); _clock.Now < until;)
            {
                Turn(exchange, descriptors, until - _clock.Now);
            }
        }
    }

    private void Measure(Measurement measurement, IExchange exchange, PollSet descriptors, BlockingCollection<ProbeSecond> seconds)
    {
        long interval = Nanoseconds(settings.Interval);
        long end = settings.Duration is { } duration ? Nanoseconds(duration) : long.MaxValue;
        long nextSecond = Second;
        long ended = -1;
        while (ended < 0 || !measurement.Quiet)
        {
            long now = _clock.Now;
            TakeMarks(measurement);
            if (ended < 0 && (_stopped || measurement.Due(measurement.Next) >= end))
            {
                ended = Math.Min(now, end);
            }

            measurement.Expire(now, exchange.Expired);
            for (int sent = 0; ended < 0 && sent < MostAtOnce && measurement.Due(measurement.Next) is var due && due <= now && due < end; sent++)
            {
                long number = measurement.Next;
                if (measurement.Send(_clock.Now))
                {
                    exchange.Send(number);
                }
            }

            long until = Math.Min(measurement.NextDeadline, ended < 0 ? measurement.Due(measurement.Next) : long.MaxValue);
            Turn(exchange, descriptors, Math.Min(until - _clock.Now, LongestWait));
            if (now >= nextSecond)
            {
                seconds.Add(measurement.TakeSecond(now));
                nextSecond = ((now / Second) + 1) * Second;
            }
        }

        TakeMarks(measurement);
        measurement.Finish(ended);
    }

    private void Turn(IExchange exchange, PollSet descriptors, long wait)
    {
        exchange.Flush(_clock.Now);
        descriptors.Clear();
        exchange.Watch(descriptors);
        descriptors.Wait(wait, exchange.Ready);
    }

    private void TakeMarks(Measurement measurement)
    {
        while (_marks.TryDequeue(out var mark))
        {
            measurement.Mark(mark.Name ?? (measurement.CurrentPhase == Measurement.FirstPhase ? "during" : "after"), mark.At);
        }
    }

    private IExchange Exchange(Measurement measurement, IPEndPoint service, WriteLog? writes) => settings.Service.Protocol switch
    {
        ServiceProtocol.Tcp => new ConnectExchange(service, measurement, _clock),
        ServiceProtocol.UdpEcho => new UdpExchange(service, measurement, _clock),
        ServiceProtocol.Http => new HttpExchange(settings.Service.Uri, settings.Connections, settings.Timeout, measurement, _clock),
        ServiceProtocol.Postgres => Lanes(new PostgresDialogue(settings.Service, writes), service, measurement),
        ServiceProtocol.TcpEcho => Lanes(new EchoDialogue(), service, measurement),
        _ => Lanes(new RedisDialogue(writes), service, measurement),
    };

    private LaneExchange Lanes(IDialogue dialogue, IPEndPoint service, Measurement measurement) =>
        new([.. Enumerable.Range(0, settings.Connections).Select(_ => new Lane(service, dialogue, measurement, _clock))]);

    private IWriteStore Store(IPEndPoint service, WriteLog writes) => settings.Service.Protocol == ServiceProtocol.Postgres
        ? new PostgresStore(settings.Service, service, WriteCheck.CallTimeout, writes)
        : new RedisStore(service, WriteCheck.CallTimeout, writes);

    private WritesReport Check(WriteCheck check, WriteLog writes, Measurement measurement)
    {
        if (settings.VerifyWrites)
        {
            return check.ReadBack(measurement.Next, number => Reporting.Time(measurement.Due(number)));
        }

        return new WritesReport
        {
            Acknowledged = writes.Acknowledged,
            Verified = false,
            Lost = 0,
            FirstLost = [],
            KeyPrefix = writes.KeyPrefix,
            Problem = check.Remove(measurement.Next),
        };
    }

    /// <summary>IPv4 where the host has both: a guest's ports are forwarded there.</summary>
    private async Task<IPEndPoint> ResolveAsync()
    {
        try
        {
            IPAddress[] addresses = await Dns.GetHostAddressesAsync(settings.Service.Host).ConfigureAwait(false);
            IPAddress address = addresses.OrderBy(found => found.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).First();
            return new IPEndPoint(address, settings.Service.Port);
        }
        catch (Exception e) when (e is SocketException or InvalidOperationException or ArgumentException)
        {
            throw new ProbeException($"{settings.Service.Host} has no address: {e.Message}");
        }
    }

    private static long Nanoseconds(TimeSpan time) => time.Ticks * TimeSpan.NanosecondsPerTick;

    private static Task<T> OnOwnThread<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
