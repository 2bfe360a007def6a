using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace TwinKernel.Fleet.Probe.Writes;

/// <summary>Reads the writes of a run back, and removes them.</summary>
/// <param name="connect">Connects to the service.</param>
internal sealed class WriteCheck(Func<IWriteStore> connect, WriteLog log)
{
    /// <summary>Lost writes that are named.</summary>
    public const int MostNamed = 10;

    private const int BatchSize = 500;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Of one call to a store.</summary>
    public static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Makes the place that the writes go to; what is in the way, else null.</summary>
    public string? Prepare() => Try(store => store.Prepare());

    /// <summary>
    /// Reads every acknowledged write back, for up to half a minute where the service is not there yet. Removes all keys of the
    /// run afterwards, unless one was lost: then they are evidence.
    /// </summary>
    /// <param name="due">When a write was due.</param>
    /// <param name="next">Writes numbered below were sent.</param>
    public WritesReport ReadBack(long next, Func<long, TimeSpan> due)
    {
        var lost = new List<LostWrite>();
        long lostCount = 0;
        long checkedTo = log.Acknowledged == 0 ? next : 0;
        string? problem = null;
        long begun = Stopwatch.GetTimestamp();
        while (checkedTo < next && Stopwatch.GetElapsedTime(begun) < Patience)
        {
            try
            {
                using IWriteStore store = connect();
                while (checkedTo < next)
                {
                    long[] numbers = Batch(checkedTo, next).Where(log.IsAcknowledged).ToArray();
                    IReadOnlyList<string?> values = numbers.Length == 0 ? [] : store.Read(numbers);
                    foreach ((long number, string? value) in numbers.Zip(values).Where(pair => pair.Second != Text(pair.First)))
                    {
                        lostCount++;
                        if (lost.Count < MostNamed)
                        {
                            lost.Add(new LostWrite { Number = number, Key = log.Key(number), Found = value, Due = due(number) });
                        }
                    }

                    checkedTo += Batch(checkedTo, next).Count();
                }

                problem = null;
            }
            catch (Exception e) when (e is IOException or SocketException or InvalidDataException)
            {
                problem = e.Message;
                Thread.Sleep(Pause);
            }
        }

        if (checkedTo >= next && lostCount == 0)
        {
            problem = Remove(next);
        }

        return new WritesReport
        {
            Acknowledged = log.Acknowledged,
            Verified = checkedTo >= next,
            Lost = lostCount,
            FirstLost = lost,
            KeyPrefix = log.KeyPrefix,
            Problem = problem,
        };
    }

    /// <summary>Removes what a run wrote that is not verified; what is in the way, else null.</summary>
    public string? Remove(long next) => Remains(Try(store => store.Remove(next)));

    private string? Remains(string? problem) => problem is null ? null : $"{log.KeyPrefix}* remain: {problem}";

    private string? Try(Action<IWriteStore> action)
    {
        try
        {
            using IWriteStore store = connect();
            action(store);
            return null;
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidDataException)
        {
            return e.Message;
        }
    }

    private static IEnumerable<long> Batch(long begin, long next)
    {
        for (long number = begin; number < Math.Min(begin + BatchSize, next); number++)
        {
            yield return number;
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
