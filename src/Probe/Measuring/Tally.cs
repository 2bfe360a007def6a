namespace TwinKernel.Fleet.Probe.Measuring;

/// <summary>What became of the requests of one phase, or of all. Times are nanoseconds.</summary>
internal sealed class Tally(string name)
{
    private const int MostKinds = 32;
    private const string OtherErrors = "other";
    private readonly SortedDictionary<string, long> _errors = new(StringComparer.Ordinal);

    public string Name { get; } = name;

    /// <summary>How long the phase lasted.</summary>
    public long Lasted { get; set; }

    public long Sent { get; private set; }

    public long NotSent { get; private set; }

    public long Unanswered { get; private set; }

    public long Answered => Latencies.Count;

    public LatencyHistogram Latencies { get; } = new();

    public IReadOnlyDictionary<string, long> Errors => _errors;

    public long ErrorCount { get; private set; }

    public long LongestGap { get; set; }

    public long LongestLoss { get; set; }

    public void CountSent() => Sent++;

    /// <param name="outcome">One of <see cref="Outcome"/>.</param>
    /// <param name="latency">Used where it was answered.</param>
    public void Count(string outcome, long latency)
    {
        switch (outcome)
        {
            case Outcome.Answered:
                Latencies.Add(latency);
                break;
            case Outcome.Unanswered:
                Unanswered++;
                break;
            case Outcome.NotSent:
                NotSent++;
                break;
            default:
                string kind = _errors.ContainsKey(outcome) || _errors.Count < MostKinds ? outcome : OtherErrors;
                _errors[kind] = _errors.GetValueOrDefault(kind) + 1;
                ErrorCount++;
                break;
        }
    }

    /// <summary>Begins anew.</summary>
    public void Clear()
    {
        Latencies.Clear();
        _errors.Clear();
        (Sent, NotSent, Unanswered, ErrorCount, LongestGap, LongestLoss, Lasted) = (0, 0, 0, 0, 0, 0, 0);
    }
}
