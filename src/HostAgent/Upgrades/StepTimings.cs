using System.Diagnostics;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>The timed parts of a step, those of the guest among them.</summary>
internal sealed class StepTimings(string host)
{
    private readonly List<StepTiming> _parts = [];
    private readonly Lock _lock = new();

    /// <summary>Times a part on this host's monotonic clock until it is disposed.</summary>
    public Part Measure(string name) => new(this, name);

    public void Add(IEnumerable<Timing> ofGuest)
    {
        lock (_lock)
        {
            _parts.AddRange(ofGuest.Select(t => new StepTiming { Name = t.Name, Clock = t.Clock, Nanoseconds = (long)Math.Min(t.Nanoseconds, (ulong)long.MaxValue) }));
        }
    }

    /// <summary>The whole first, then its parts.</summary>
    public IReadOnlyList<StepTiming> With(string whole, TimeSpan took)
    {
        lock (_lock)
        {
            return [OfHost(whole, took), .. _parts];
        }
    }

    private StepTiming OfHost(string name, TimeSpan took) => new() { Name = name, Clock = $"host:{host}", Nanoseconds = Math.Max(0, took.Ticks) * 100 };

    internal readonly struct Part(StepTimings timings, string name) : IDisposable
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        public void Dispose()
        {
            TimeSpan took = Stopwatch.GetElapsedTime(_start);
            lock (timings._lock)
            {
                timings._parts.Add(timings.OfHost(name, took));
            }
        }
    }
}
