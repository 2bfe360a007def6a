using System.Diagnostics;
using TwinKernel.Fleet.GuestAgent.Journal;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>One run of one step: its timings, its facts, and when to give up.</summary>
public sealed class StepContext(Wire.Step step, string upgradeId, ulong epoch, CancellationToken cancellation)
{
    private readonly List<StepTiming> _timings = [];
    private readonly long _started = Stopwatch.GetTimestamp();

    public Wire.Step Step { get; } = step;

    public string UpgradeId { get; } = upgradeId;

    public ulong Epoch { get; } = epoch;

    /// <summary>The caller is gone, its deadline is near, or a roll-back wants the floor.</summary>
    public CancellationToken Cancellation { get; } = cancellation;

    public Dictionary<string, string> Facts { get; } = new(StringComparer.Ordinal);

    /// <summary>Times a part; the name comes behind the step's own, as in <c>reserve.memory.offline</c>. Parts of one name add up.</summary>
    public void Measure(string part, Action action)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            action();
        }
        finally
        {
            Add(part, Stopwatch.GetElapsedTime(started));
        }
    }

    /// <inheritdoc cref="Measure(string, Action)"/>
    public T Measure<T>(string part, Func<T> function)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            return function();
        }
        finally
        {
            Add(part, Stopwatch.GetElapsedTime(started));
        }
    }

    public void Add(string part, TimeSpan elapsed)
    {
        string name = $"{StepOrder.Word(Step)}.{part}";
        long nanoseconds = Nanoseconds(elapsed);
        int known = _timings.FindIndex(timing => timing.Name == name);
        if (known < 0)
        {
            _timings.Add(new StepTiming(name, nanoseconds));
        }
        else
        {
            _timings[known] = new StepTiming(name, _timings[known].Nanoseconds + nanoseconds);
        }
    }

    /// <summary>The whole step up to now, then its parts.</summary>
    public IReadOnlyList<StepTiming> Timings() =>
        [new StepTiming(StepOrder.Word(Step), Nanoseconds(Stopwatch.GetElapsedTime(_started))), .. _timings];

    private static long Nanoseconds(TimeSpan elapsed) => elapsed.Ticks * TimeSpan.NanosecondsPerTick;
}
