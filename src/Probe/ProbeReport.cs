using System.Text.Json;
using System.Text.Json.Serialization;

namespace TwinKernel.Fleet.Probe;

/// <summary>What a run saw. As JSON every time is a number of milliseconds with up to four decimals, counted from the run's start.</summary>
public sealed record ProbeReport
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectRequiredConstructorParameters = true,
        Converters = { new Milliseconds() },
    };

    /// <summary>Of this shape; a member is added without a new one.</summary>
    public int Version { get; init; } = 1;

    public required string Service { get; init; }

    /// <summary>True when it wrote, false when it read or connected only.</summary>
    public required bool Writing { get; init; }

    [JsonPropertyName("intervalMs")]
    public required TimeSpan Interval { get; init; }

    [JsonPropertyName("timeoutMs")]
    public required TimeSpan Timeout { get; init; }

    public required int Connections { get; init; }

    /// <summary>The bound of what a percentile is told too high, as a part of it.</summary>
    public required double LatencyRelativeError { get; init; }

    public required PhaseReport Total { get; init; }

    /// <summary>In the order of their first marks; one only when nothing was marked.</summary>
    public required IReadOnlyList<PhaseReport> Phases { get; init; }

    public required IReadOnlyList<MarkReport> Marks { get; init; }

    [JsonPropertyName("gapThresholdMs")]
    public required TimeSpan GapThreshold { get; init; }

    /// <summary>Those of the threshold or longer, in their order; the first 1,000.</summary>
    public required IReadOnlyList<GapReport> Gaps { get; init; }

    public required long GapsLeftOut { get; init; }

    /// <summary>Connections that were made again.</summary>
    public required long Reconnects { get; init; }

    /// <summary>Null when nothing was written.</summary>
    public required WritesReport? Writes { get; init; }

    public required SelfReport Self { get; init; }

    /// <summary>In one line.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <exception cref="JsonException">It is not what <see cref="ToJson"/> writes.</exception>
    public static ProbeReport Parse(string json) => JsonSerializer.Deserialize<ProbeReport>(json, Json) ?? throw new JsonException("null is not a report");

    private sealed class Milliseconds : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TimeSpan.FromTicks((long)(reader.GetDecimal() * TimeSpan.TicksPerMillisecond));

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteNumberValue((decimal)value.Ticks / TimeSpan.TicksPerMillisecond);
    }
}

/// <summary>The requests that were due in one phase, or in all.</summary>
public sealed record PhaseReport
{
    /// <summary>Empty for all.</summary>
    public required string Name { get; init; }

    [JsonPropertyName("lastedMs")]
    public required TimeSpan Lasted { get; init; }

    public required long Sent { get; init; }

    public required long Answered { get; init; }

    /// <summary>No answer within the timeout.</summary>
    public required long Unanswered { get; init; }

    /// <summary>Never sent, because the probe itself was held up for longer than the timeout.</summary>
    public required long NotSent { get; init; }

    /// <summary>The other ends, by kind.</summary>
    public required IReadOnlyDictionary<string, long> Errors { get; init; }

    /// <summary>
    /// The longest time in which no answer arrived: between two answers, from the start to the first, or from the last one until
    /// the last request was due. A gap counts to each phase that it touches.
    /// </summary>
    [JsonPropertyName("longestGapMs")]
    public required TimeSpan LongestGap { get; init; }

    /// <summary>The longest time between when two requests were due that were answered, however late, with none in between.</summary>
    [JsonPropertyName("longestLossMs")]
    public required TimeSpan LongestLoss { get; init; }

    /// <summary>From when a request was due to its answer.</summary>
    [JsonPropertyName("latencyMs")]
    public required LatencyReport Latency { get; init; }
}

/// <summary>Of the requests that were answered; zero when none was. <see cref="Max"/> is exact.</summary>
public sealed record LatencyReport
{
    public required TimeSpan P50 { get; init; }

    public required TimeSpan P90 { get; init; }

    public required TimeSpan P99 { get; init; }

    [JsonPropertyName("p99.9")]
    public required TimeSpan P999 { get; init; }

    public required TimeSpan Max { get; init; }
}

/// <summary>From here on requests count to a phase.</summary>
public sealed record MarkReport
{
    [JsonPropertyName("atMs")]
    public required TimeSpan At { get; init; }

    public required string Phase { get; init; }
}

/// <summary>A time without an answer.</summary>
public sealed record GapReport
{
    [JsonPropertyName("atMs")]
    public required TimeSpan At { get; init; }

    [JsonPropertyName("lengthMs")]
    public required TimeSpan Length { get; init; }

    /// <summary>The phase in which it began.</summary>
    public required string Phase { get; init; }

    /// <summary>How late the probe itself was with a request in it, at most: so much of the gap may be the probe's own.</summary>
    [JsonPropertyName("ownLatenessMs")]
    public required TimeSpan OwnLateness { get; init; }

    /// <summary>It had not ended when the last request was due.</summary>
    public required bool Open { get; init; }
}

/// <summary>What became of the writes.</summary>
public sealed record WritesReport
{
    public required long Acknowledged { get; init; }

    /// <summary>Every acknowledged write was looked for.</summary>
    public required bool Verified { get; init; }

    /// <summary>Acknowledged, and not there with their value afterwards.</summary>
    public required long Lost { get; init; }

    /// <summary>The first ten.</summary>
    public required IReadOnlyList<LostWrite> FirstLost { get; init; }

    /// <summary>What the keys of the run begin with; they are removed, unless one was lost.</summary>
    public required string KeyPrefix { get; init; }

    /// <summary>Why not all were looked for, or why keys remain; null when there is nothing to say.</summary>
    public required string? Problem { get; init; }
}

/// <summary>A write that was acknowledged and is not there.</summary>
public sealed record LostWrite
{
    public required long Number { get; init; }

    public required string Key { get; init; }

    /// <summary>The value that the key has; null when there is no such key.</summary>
    public required string? Found { get; init; }

    [JsonPropertyName("dueMs")]
    public required TimeSpan Due { get; init; }
}

/// <summary>How well the probe kept its own times.</summary>
public sealed record SelfReport
{
    /// <summary>Every request left within one interval, or 1 ms where that is longer, of when it was due, but for one in a hundred; none was left out.</summary>
    public required bool KeptRate { get; init; }

    [JsonPropertyName("latenessMs")]
    public required LatencyReport Lateness { get; init; }

    /// <summary>Requests sent more than one interval late.</summary>
    public required long SentLate { get; init; }
}
