using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using TwinKernel.Fleet.Probe;

namespace TwinKernel.Fleet.HostAgent.Observation;

/// <summary>
/// Asks a guest's echo service from outside at a fixed pace and notes who answered. Open loop: a probe leaves at
/// its absolute time whether or not anything has answered; a time that was missed because the host was late is
/// left out, which can only lengthen a gap. While nothing changes it asks <see cref="Ease"/> times more seldom: what it asks takes the guest's time. A request is 16 bytes: a number of this observer, then the probe's. A reply is
/// the request and 36 characters of the answering kernel's boot id.
/// </summary>
internal sealed class OutageObserver : IDisposable
{
    /// <summary>How many intervals there are between two probes of an observer that is at ease.</summary>
    private const int Ease = 5;
    private const int RequestBytes = 16;
    private const int BootIdBytes = 36;
    private readonly Socket _socket;
    private readonly OutageWindow _window = new();
    private readonly Lock _lock = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly long _nonce = BinaryPrimitives.ReadInt64BigEndian(RandomNumberGenerator.GetBytes(8));
    private readonly Thread _sender;
    private readonly Thread _receiver;
    private volatile SocketAddress _service;
    private volatile bool _atEase;
    private volatile bool _ended;

    /// <summary>Starts to ask.</summary>
    /// <param name="service">Where the service answers.</param>
    /// <param name="interval">Between two probes, 100 µs or more.</param>
    public OutageObserver(IPEndPoint service, TimeSpan interval)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(interval, TimeSpan.FromMicroseconds(100));
        (Interval, _service) = (interval, service.Serialize());
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 100, ReceiveBufferSize = 1 << 20 };
        _socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        _sender = new Thread(Send) { IsBackground = true, Name = "outage probe send" };
        _receiver = new Thread(Receive) { IsBackground = true, Name = "outage probe receive" };
        _receiver.Start();
        _sender.Start();
    }

    public TimeSpan Interval { get; }

    /// <summary>Asks there from now on; a gap goes on across the change.</summary>
    public void Follow(IPEndPoint service) => _service = service.Serialize();

    /// <summary>
    /// Nothing changes hands from now on, until this says otherwise: a gap shorter than five intervals may pass unseen, one that is seen is not shorter than it is told
    /// by more than that.
    /// </summary>
    public bool AtEase
    {
        set => _atEase = value;
    }

    /// <summary>Since the start; the clock of every time in a snapshot.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    /// <summary>What was seen so far; gaps that ended before <paramref name="since"/> are left out.</summary>
    public OutageSnapshot Snapshot(TimeSpan since = default)
    {
        lock (_lock)
        {
            return _window.Snapshot(since);
        }
    }

    /// <summary>Waits until somebody has answered. False when nobody has until <paramref name="timeout"/>.</summary>
    public async Task<bool> WaitAnsweredAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        TimeSpan until = Elapsed + timeout;
        while (Snapshot().Answered == 0)
        {
            if (Elapsed > until)
            {
                return false;
            }

            await Task.Delay(10, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>Stops asking, takes the answers that are on their way, and returns when both threads have ended.</summary>
    public void Dispose()
    {
        _ended = true;
        _sender.Join();
        _receiver.Join();
        _socket.Dispose();
    }

    private void Send()
    {
        // An emulated guest takes every core it can get, and a late probe reads as a longer gap.
        Punctuality.OfThisThread();
        Span<byte> request = stackalloc byte[RequestBytes];
        BinaryPrimitives.WriteInt64BigEndian(request, _nonce);
        long slot = 0;
        while (!_ended)
        {
            int pace = _atEase ? Ease : 1;
            slot = Math.Max(slot + pace, (Elapsed.Ticks / Interval.Ticks) + 1);
            SleepUntil(TimeSpan.FromTicks(slot * Interval.Ticks));
            long probe;
            lock (_lock)
            {
                probe = _window.Sent(Elapsed, (pace - 1) * Interval);
            }

            BinaryPrimitives.WriteInt64BigEndian(request[8..], probe);
            try
            {
                _socket.SendTo(request, SocketFlags.None, _service);
            }
            catch (SocketException)
            {
                // Nobody listens. That is an answer that did not come, nothing more.
            }
        }
    }

    private void Receive()
    {
        byte[] reply = new byte[256];
        while (true)
        {
            int bytes;
            try
            {
                bytes = _socket.Receive(reply);
            }
            catch (SocketException) when (!_ended)
            {
                continue;
            }
            catch (SocketException)
            {
                return;
            }

            if (bytes == RequestBytes + BootIdBytes && BinaryPrimitives.ReadInt64BigEndian(reply) == _nonce)
            {
                long probe = BinaryPrimitives.ReadInt64BigEndian(reply.AsSpan(8));
                string bootId = Encoding.ASCII.GetString(reply, RequestBytes, BootIdBytes);
                lock (_lock)
                {
                    _window.Answered(probe, bootId, Elapsed);
                }
            }
        }
    }

    private void SleepUntil(TimeSpan due)
    {
        // Stopwatch reads CLOCK_MONOTONIC in nanoseconds, so that its values are absolute times of the same clock.
        long at = _start + (due.Ticks * (Stopwatch.Frequency / TimeSpan.TicksPerSecond));
        Timespec until = new() { Seconds = at / Stopwatch.Frequency, Nanoseconds = at % Stopwatch.Frequency };
        while (ClockNanosleep(MonotonicClock, AbsoluteTime, in until, IntPtr.Zero) == Interrupted)
        {
            // A signal came in between; the time is absolute.
        }
    }

    private const int MonotonicClock = 1;
    private const int AbsoluteTime = 1;
    private const int Interrupted = 4;

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [DllImport("libc", EntryPoint = "clock_nanosleep")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ClockNanosleep(int clock, int flags, in Timespec until, IntPtr remaining);
}
