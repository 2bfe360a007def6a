using System.Globalization;

namespace TwinKernel.Fleet.Probe;

/// <summary>What a run asks, how often, and for how long.</summary>
public sealed record ProbeSettings
{
    public static readonly TimeSpan ShortestInterval = TimeSpan.FromMicroseconds(20);
    public static readonly TimeSpan LongestInterval = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan ShortestTimeout = TimeSpan.FromMilliseconds(10);
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromSeconds(60);
    public const int MostConnections = 256;

    public required ServiceAddress Service { get; init; }

    /// <summary>Between two requests, <see cref="ShortestInterval"/> to <see cref="LongestInterval"/>.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>How long requests are due; null: until <see cref="ProbeRun.Stop"/>.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>From when a request is due until it is unanswered, <see cref="ShortestTimeout"/> to <see cref="LongestTimeout"/>.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Kept connections, 1 to <see cref="MostConnections"/>. Of no meaning for <see cref="ServiceProtocol.Tcp"/> and <see cref="ServiceProtocol.UdpEcho"/>.</summary>
    public int Connections { get; init; } = 8;

    /// <summary>The shortest gap that is listed.</summary>
    public TimeSpan GapThreshold { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Of a Redis: SET instead of PING. Of a PostgreSQL: INSERT instead of SELECT. What was written is removed after the run.</summary>
    public bool Writes { get; init; }

    /// <summary>With <see cref="Writes"/>: reads every acknowledged write back after the run.</summary>
    public bool VerifyWrites { get; init; }

    /// <summary>Every request's end goes there as CSV; null: nowhere.</summary>
    public TextWriter? Record { get; init; }

    /// <summary>Every problem, as a sentence that names the value.</summary>
    public IEnumerable<string> Problems()
    {
        if (Interval < ShortestInterval || Interval > LongestInterval)
        {
            yield return $"The interval ({Text(Interval)}) must be from {Text(ShortestInterval)} to {Text(LongestInterval)}.";
        }

        if (Timeout < ShortestTimeout || Timeout > LongestTimeout)
        {
            yield return $"The timeout ({Text(Timeout)}) must be from {Text(ShortestTimeout)} to {Text(LongestTimeout)}.";
        }

        if (Duration <= TimeSpan.Zero)
        {
            yield return $"The duration ({Text(Duration.Value)}) must be above zero.";
        }

        if (Connections is < 1 or > MostConnections)
        {
            yield return $"The connections ({Connections}) must be from 1 to {MostConnections}.";
        }

        if (GapThreshold <= TimeSpan.Zero)
        {
            yield return $"The gap threshold ({Text(GapThreshold)}) must be above zero.";
        }

        if (Writes && Service.Protocol is not (ServiceProtocol.Redis or ServiceProtocol.Postgres))
        {
            yield return $"Writes go to redis:// or postgres://, not to {Service}.";
        }

        if (VerifyWrites && !Writes)
        {
            yield return "Only writes can be verified.";
        }
    }

    private static string Text(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds} ms");
}
