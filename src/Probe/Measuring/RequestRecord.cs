using System.Collections.Concurrent;
using System.Globalization;

namespace TwinKernel.Fleet.Probe.Measuring;

/// <summary>
/// Writes each request's end as CSV: number, when it was due and how long the answer took in microseconds, outcome; in the order of the ends.
/// The run's thread only puts rows by; another writes them.
/// </summary>
internal sealed class RequestRecord(TextWriter output, Func<long, long> due)
{
    public const string Header = "number,due_us,latency_us,outcome";
    private const int BatchRows = 4096;
    private readonly BlockingCollection<List<Row>> _batches = [];
    private List<Row> _batch = new(BatchRows);
    private Task _written = Task.CompletedTask;

    public void Begin() => _written = Task.Factory.StartNew(Write, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public void Add(long number, long latency, string outcome)
    {
        _batch.Add(new Row(number, latency, outcome));
        if (_batch.Count == BatchRows)
        {
            _batches.Add(_batch);
            _batch = new List<Row>(BatchRows);
        }
    }

    /// <summary>Returns when all is written.</summary>
    /// <exception cref="IOException">It could not be.</exception>
    public Task EndAsync()
    {
        _batches.Add(_batch);
        _batches.CompleteAdding();
        return _written;
    }

    private void Write()
    {
        output.WriteLine(Header);
        foreach (List<Row> batch in _batches.GetConsumingEnumerable())
        {
            foreach (Row row in batch)
            {
                string latency = row.Outcome == Outcome.Answered ? Microseconds(row.Latency) : "";
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Number},{Microseconds(due(row.Number))},{latency},{row.Outcome}"));
            }
        }

        output.Flush();
    }

    private static string Microseconds(long nanoseconds) => (nanoseconds / 1000m).ToString("0.###", CultureInfo.InvariantCulture);

    private readonly record struct Row(long Number, long Latency, string Outcome);
}
