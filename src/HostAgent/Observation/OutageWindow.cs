using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.HostAgent.Observation;

/// <summary>A kernel that answered a probe.</summary>
/// <param name="BootId">Its boot id.</param>
/// <param name="FirstSent">When the first probe that it answered was sent.</param>
/// <param name="FirstAnswered">When that answer arrived.</param>
internal sealed record AnsweringKernel(string BootId, TimeSpan FirstSent, TimeSpan FirstAnswered);

/// <summary>What was seen so far. Times count from the observer's start.</summary>
/// <param name="LongestGap">Between the sends of an answered probe and the next answered one, less the rest between them when they are neighbours.</param>
/// <param name="Sent">Probes sent.</param>
/// <param name="Answered">Probes answered.</param>
/// <param name="OpenGap">From the send of the newest answered probe (or the first probe) to that of the newest probe.</param>
/// <param name="Kernels">Who answered, in order of the first answer; the first 16.</param>
internal sealed record OutageSnapshot(
    TimeSpan LongestGap, long Sent, long Answered, TimeSpan OpenGap, IReadOnlyList<AnsweringKernel> Kernels);

/// <summary>
/// Turns sends and answers into gaps, in bounded memory. Pure: it is told the times. Probes are numbered 0, 1, 2, …
/// in the order of their sends. An answer may come late and out of order; one to a probe that is more than
/// the window's capacity behind the newest is not counted. Not thread safe.
/// </summary>
internal sealed class OutageWindow
{
    private const int MostKernels = 16;
    private readonly long[] _sentAt;
    private readonly long[] _rest;
    private readonly bool[] _answered;
    private readonly List<AnsweringKernel> _kernels = [];
    private long _oldest;
    private long _next;
    private long _answeredCount;
    private TimeSpan _longestSettled;
    private (long Probe, long Sent) _lastSettled = (-1, -1);

    /// <param name="capacity">Probes whose answers are still waited for; at 1 ms between them, 65,536 are 65 s.</param>
    public OutageWindow(int capacity = 65_536)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        (_sentAt, _rest, _answered) = (new long[capacity], new long[capacity], new bool[capacity]);
    }

    /// <summary>Notes a send and gives its number.</summary>
    /// <param name="at">Ticks of <see cref="TimeSpan"/> since the start; never less than the one before.</param>
    /// <param name="rest">Of the time since the probe before: how much nothing was asked on purpose. It is part of a gap only when a probe in that gap was not answered.</param>
    public long Sent(TimeSpan at, TimeSpan rest = default)
    {
        if (_next - _oldest == _sentAt.Length)
        {
            Settle();
        }

        _sentAt[_next % _sentAt.Length] = at.Ticks;
        _rest[_next % _sentAt.Length] = rest.Ticks;
        _answered[_next % _sentAt.Length] = false;
        return _next++;
    }

    /// <summary>Notes the answer to a probe. False when it does not count: unknown, too old, or answered before.</summary>
    public bool Answered(long probe, string bootId, TimeSpan at)
    {
        if (probe < _oldest || probe >= _next || _answered[probe % _sentAt.Length])
        {
            return false;
        }

        _answered[probe % _sentAt.Length] = true;
        _answeredCount++;
        if (_kernels.Count < MostKernels && _kernels.TrueForAll(k => k.BootId != bootId))
        {
            _kernels.Add(new AnsweringKernel(bootId, TimeSpan.FromTicks(_sentAt[probe % _sentAt.Length]), at));
        }

        return true;
    }

    /// <summary>
    /// What was seen so far. With <paramref name="since"/>, gaps are counted from there on only (of one that began before,
    /// the part after it), and of the probes that are still in the window.
    /// </summary>
    public OutageSnapshot Snapshot(TimeSpan since = default)
    {
        TimeSpan longest = since == default ? _longestSettled : TimeSpan.Zero;
        (long Probe, long Sent) last = _lastSettled;
        for (long probe = _oldest; probe < _next; probe++)
        {
            if (_answered[probe % _sentAt.Length])
            {
                long sent = _sentAt[probe % _sentAt.Length];
                if (last.Sent >= 0 && sent >= since.Ticks)
                {
                    longest = Longer(longest, Gap(last, probe, since.Ticks));
                }

                last = (probe, sent);
            }
        }

        TimeSpan open = _next == 0 ? TimeSpan.Zero : TimeSpan.FromTicks(Math.Max(0, _sentAt[(_next - 1) % _sentAt.Length] - Math.Max(last.Sent, since.Ticks)));
        return new OutageSnapshot(longest, _next, _answeredCount, open, [.. _kernels]);
    }

    /// <summary>The oldest probe leaves the window: whether it was answered stands now.</summary>
    private void Settle()
    {
        if (_answered[_oldest % _sentAt.Length])
        {
            long sent = _sentAt[_oldest % _sentAt.Length];
            _longestSettled = _lastSettled.Sent < 0 ? _longestSettled : Longer(_longestSettled, Gap(_lastSettled, _oldest, 0));
            _lastSettled = (_oldest, sent);
        }

        _oldest++;
    }

    private long Gap((long Probe, long Sent) last, long probe, long since)
    {
        long rest = probe == last.Probe + 1 ? _rest[probe % _rest.Length] : 0;
        return _sentAt[probe % _sentAt.Length] - Math.Max(last.Sent, since) - rest;
    }

    private static TimeSpan Longer(TimeSpan gap, long ticks) => ticks > gap.Ticks ? TimeSpan.FromTicks(ticks) : gap;
}

/// <summary>What of a snapshot goes out as a message, joined with what an earlier run of the agent saw.</summary>
internal static class OutageReport
{
    public static ObservedOutage ToMessage(this OutageSnapshot snapshot, TimeSpan interval, ObservedOutage? before) => new()
    {
        LongestGap = before is not null && before.LongestGap > snapshot.LongestGap ? before.LongestGap : snapshot.LongestGap,
        Sent = snapshot.Sent + (before?.Sent ?? 0),
        Answered = snapshot.Answered + (before?.Answered ?? 0),
        Interval = interval,
        Interrupted = before is not null,
    };
}
