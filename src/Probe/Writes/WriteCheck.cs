using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace TwinKernel.Fleet.Probe.Writes;

/// <summary>Reads the writes of a run back, and removes them.</summary>
internal static class WriteCheck
{
    /// <summary>Lost writes that are named.</summary>
    public const int MostNamed = 10;

    private const int BatchSize = 500;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Reads every acknowledged write back, for up to half a minute where the service is not there yet. Removes all keys of the
    /// run afterwards, unless one was lost: then they are evidence.
    /// </summary>
    /// <param name="due">When a write was due.</param>
    /// <param name="next">Writes numbered below were sent.</param>
    public static WritesReport ReadBack(IPEndPoint service, WriteLog log, long next, Func<long, TimeSpan> due)
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
                using var redis = new RedisConnection(service, CallTimeout);
                while (checkedTo < next)
                {
                    long[] numbers = Batch(checkedTo, next).Where(log.IsAcknowledged).ToArray();
                    IReadOnlyList<string?> values = numbers.Length == 0 ? [] : redis.Ask(["MGET", .. numbers.Select(number => Key(log, number))]);
                    if (values.Count != numbers.Length)
                    {
                        throw new InvalidDataException($"MGET of {numbers.Length} keys brought {values.Count} values");
                    }

                    foreach ((long number, string? value) in numbers.Zip(values).Where(pair => pair.Second != Text(pair.First)))
                    {
                        lostCount++;
                        if (lost.Count < MostNamed)
                        {
                            lost.Add(new LostWrite { Number = number, Key = Key(log, number), Found = value, Due = due(number) });
                        }
                    }

                    checkedTo += Batch(checkedTo, next).Count();
                }

                problem = lostCount > 0 ? null : Remove(redis, log, next);
            }
            catch (Exception e) when (e is IOException or SocketException or InvalidDataException)
            {
                problem = e.Message;
                Thread.Sleep(Pause);
            }
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

    /// <summary>Removes the keys of a run that is not verified; what is in the way, else null.</summary>
    public static string? Remove(IPEndPoint service, WriteLog log, long next)
    {
        try
        {
            using var redis = new RedisConnection(service, CallTimeout);
            return Remove(redis, log, next);
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidDataException)
        {
            return e.Message;
        }
    }

    private static string? Remove(RedisConnection redis, WriteLog log, long next)
    {
        try
        {
            for (long begin = 0; begin < next; begin += BatchSize)
            {
                redis.Ask(["UNLINK", .. Batch(begin, next).Select(number => Key(log, number))]);
            }

            return null;
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidDataException)
        {
            return $"the keys {log.KeyPrefix}* remain: {e.Message}";
        }
    }

    private static IEnumerable<long> Batch(long begin, long next)
    {
        for (long number = begin; number < Math.Min(begin + BatchSize, next); number++)
        {
            yield return number;
        }
    }

    private static string Key(WriteLog log, long number) => log.KeyPrefix + Text(number);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
