using System.Numerics;

namespace TwinKernel.Fleet.Probe.Measuring;

/// <summary>
/// Turns sends, answers and failures into figures, in memory bounded by the deadline. Pure: it is told the times, in nanoseconds since the start.
/// Requests are numbered 0, 1, 2, …; number n is due at n intervals. Each ends once: answered, failed, unanswered, or not
/// sent; later word of it is ignored. Not thread safe.
/// </summary>
/// <param name="interval">Between two requests, ns.</param>
/// <param name="timeout">From when a request is due until it is unanswered, ns.</param>
/// <param name="gapThreshold">The shortest gap that is listed, ns.</param>
/// <param name="settled">Told each end: number, latency, outcome.</param>
internal sealed class Measurement(long interval, long timeout, long gapThreshold, Action<long, long, string>? settled = null)
{
    /// <summary>The phase before the first mark.</summary>
    public const string FirstPhase = "before";

    /// <summary>Gaps that are listed; more are counted.</summary>
    public const int MostGaps = 1000;

    /// <summary>Phases that are told apart; marks with further names are counted to the last one.</summary>
    public const int MostPhases = 64;

    private const byte Outstanding = 1;
    private const byte Lost = 2;
    private const byte Good = 3;
    private readonly List<Gap> _gaps = [];
    private readonly List<Tally> _phases = [new Tally(FirstPhase)];
    private readonly List<(long At, int Phase)> _marks = [(0, 0)];
    private readonly Tally _recent = new("");
    private byte[] _states = new byte[BitOperations.RoundUpToPowerOf2((ulong)(timeout / interval) + 2)];
    private long _oldest;
    private long _latenessSinceArrival;
    private long _lastAnsweredDue;

    public Tally Total { get; } = new("");

    public IReadOnlyList<Tally> Phases => _phases;

    public IReadOnlyList<Gap> Gaps => _gaps;

    public long GapsLeftOut { get; private set; }

    /// <summary>How late the probe sent, after each request was due.</summary>
    public LatencyHistogram Lateness { get; } = new();

    /// <summary>Requests sent more than one interval late.</summary>
    public long SentLate { get; private set; }

    /// <summary>The number of the next request.</summary>
    public long Next { get; private set; }

    /// <summary>When the newest answer arrived; 0 when none has.</summary>
    public long LastArrival { get; private set; }

    /// <summary>Every request has ended.</summary>
    public bool Quiet
    {
        get
        {
            PassSettled();
            return _oldest == Next;
        }
    }

    /// <summary>When the oldest open request will be unanswered.</summary>
    public long NextDeadline => _oldest == Next ? long.MaxValue : Due(_oldest) + timeout;

    public IEnumerable<(long At, string Phase)> Marks => _marks.Skip(1).Select(mark => (mark.At, _phases[mark.Phase].Name));

    public string CurrentPhase => _phases[_marks[^1].Phase].Name;

    public long Due(long number) => number * interval;

    /// <summary>The next request is sent. False when its deadline has passed already: it is not to be sent.</summary>
    public bool Send(long at)
    {
        Room();
        long number = Next++;
        _states[Index(number)] = Outstanding;
        long lateness = at - Due(number);
        if (lateness >= timeout)
        {
            Settle(number, Outcome.NotSent, 0);
            return false;
        }

        Total.CountSent();
        _recent.CountSent();
        _phases[PhaseAt(Due(number))].CountSent();
        Lateness.Add(lateness);
        _latenessSinceArrival = Math.Max(_latenessSinceArrival, lateness);
        if (lateness > interval)
        {
            SentLate++;
        }

        return true;
    }

    /// <summary>The right answer to a request arrived. False when the request had ended, or there is none of this number.</summary>
    public bool Answer(long number, long at)
    {
        if (!IsOutstanding(number))
        {
            return false;
        }

        Settle(number, Outcome.Answered, at - Due(number));
        if (at > LastArrival)
        {
            Note(new Gap(LastArrival, at, _latenessSinceArrival, false));
            (LastArrival, _latenessSinceArrival) = (at, 0);
        }

        return true;
    }

    /// <summary>A request ended without the right answer. False when it had ended, or there is none of this number.</summary>
    public bool Fail(long number, string outcome)
    {
        if (!IsOutstanding(number))
        {
            return false;
        }

        Settle(number, outcome, 0);
        return true;
    }

    /// <summary>Ends every request whose deadline has passed.</summary>
    public void Expire(long now, Action<long> expired)
    {
        PassSettled();
        while (_oldest < Next && Due(_oldest) + timeout <= now)
        {
            if (_states[Index(_oldest)] == Outstanding)
            {
                Settle(_oldest, Outcome.Unanswered, 0);
                expired(_oldest);
            }

            PassSettled();
        }
    }

    /// <summary>
    /// From <paramref name="at"/> on, requests that are due count to this phase; again to an earlier one of that name. What was sent
    /// has been counted: a mark that would lie before it, or before the last mark, lies behind it.
    /// </summary>
    public void Mark(string name, long at)
    {
        int phase = _phases.FindIndex(known => known.Name == name);
        if (phase < 0 && _phases.Count < MostPhases)
        {
            _phases.Add(new Tally(name));
        }

        at = Math.Max(at, Math.Max(_marks[^1].At, Next > 0 ? Due(Next - 1) + 1 : 0));
        _phases[_marks[^1].Phase].Lasted += at - _marks[^1].At;
        _marks.Add((at, phase < 0 ? _phases.Count - 1 : phase));
    }

    /// <summary>What came since the last call.</summary>
    public ProbeSecond TakeSecond(long now)
    {
        ProbeSecond second = _recent.ToSecond(CurrentPhase, now, now - LastArrival);
        _recent.Clear();
        return second;
    }

    /// <summary>No more is sent, and every request has ended: closes the last gap and the last phase.</summary>
    /// <param name="end">When the sending ended.</param>
    public void Finish(long end)
    {
        PassSettled();
        if (Next > 0)
        {
            long lastDue = Due(Next - 1);
            if (lastDue > LastArrival)
            {
                Note(new Gap(LastArrival, lastDue, _latenessSinceArrival, true));
            }

            NoteLoss(lastDue);
        }

        Total.Lasted = end;
        _phases[_marks[^1].Phase].Lasted += Math.Max(0, end - _marks[^1].At);
    }

    private bool IsOutstanding(long number) => number >= _oldest && number < Next && _states[Index(number)] == Outstanding;

    private int Index(long number) => (int)(number & (_states.Length - 1));

    private void Settle(long number, string outcome, long latency)
    {
        _states[Index(number)] = outcome == Outcome.Answered ? Good : Lost;
        Total.Count(outcome, latency);
        _recent.Count(outcome, latency);
        _phases[PhaseAt(Due(number))].Count(outcome, latency);
        settled?.Invoke(number, latency, outcome);
    }

    /// <summary>In the order in which they were due: what has ended leaves the window.</summary>
    private void PassSettled()
    {
        while (_oldest < Next && _states[Index(_oldest)] != Outstanding)
        {
            if (_states[Index(_oldest)] == Good)
            {
                NoteLoss(Due(_oldest));
            }

            _oldest++;
        }
    }

    /// <summary>For one more.</summary>
    private void Room()
    {
        PassSettled();
        if (Next - _oldest < _states.Length)
        {
            return;
        }

        byte[] larger = new byte[_states.Length * 2];
        for (long number = _oldest; number < Next; number++)
        {
            larger[number & (larger.Length - 1)] = _states[Index(number)];
        }

        _states = larger;
    }

    private void NoteLoss(long due)
    {
        long loss = due - _lastAnsweredDue;
        Total.LongestLoss = Math.Max(Total.LongestLoss, loss);
        for (int mark = MarkAt(_lastAnsweredDue); mark < _marks.Count && _marks[mark].At <= due; mark++)
        {
            Tally phase = _phases[_marks[mark].Phase];
            phase.LongestLoss = Math.Max(phase.LongestLoss, loss);
        }

        _lastAnsweredDue = due;
    }

    /// <summary>A gap counts to every phase that it touches, in its full length.</summary>
    private void Note(Gap gap)
    {
        Total.LongestGap = Math.Max(Total.LongestGap, gap.Length);
        _recent.LongestGap = Math.Max(_recent.LongestGap, gap.Length);
        for (int mark = MarkAt(gap.From); mark < _marks.Count && _marks[mark].At <= gap.To; mark++)
        {
            Tally phase = _phases[_marks[mark].Phase];
            phase.LongestGap = Math.Max(phase.LongestGap, gap.Length);
        }

        if (gap.Length >= gapThreshold)
        {
            if (_gaps.Count < MostGaps)
            {
                _gaps.Add(gap);
            }
            else
            {
                GapsLeftOut++;
            }
        }
    }

    private int PhaseAt(long at) => _marks[MarkAt(at)].Phase;

    /// <summary>The mark that holds at a time.</summary>
    private int MarkAt(long at)
    {
        int mark = _marks.Count - 1;
        while (mark > 0 && _marks[mark].At > at)
        {
            mark--;
        }

        return mark;
    }
}
