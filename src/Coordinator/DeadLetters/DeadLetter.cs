using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using RabbitMQ.Client;

namespace TwinKernel.Fleet.Coordinator.DeadLetters;

/// <summary>A message that nobody could handle, as MassTransit put it away. What it does not tell is empty.</summary>
internal sealed record DeadLetter
{
    /// <summary>The message's own id; of one that has none, a part of its body's SHA-256.</summary>
    public required string Id { get; init; }

    /// <summary>Name of the message's type, without its namespace.</summary>
    public required string Type { get; init; }

    /// <summary>The queue in which it stood; empty: not known.</summary>
    public required string Queue { get; init; }

    /// <summary>The exchange to which it was sent; where it goes again when <see cref="Queue"/> is not known. Empty: not known either.</summary>
    public required string Exchange { get; init; }

    /// <summary>Why it was put away, one line.</summary>
    public required string Reason { get; init; }
    public required DateTimeOffset? At { get; init; }

    /// <summary>Headers that MassTransit adds when it puts a message away begin with one of these.</summary>
    private static readonly string[] Added = ["MT-Fault-", "MT-Reason"];

    public static DeadLetter Of(IReadOnlyBasicProperties properties, ReadOnlyMemory<byte> body)
    {
        Envelope envelope = Envelope.Read(body);
        string input = Header(properties, "MT-Fault-InputAddress");
        string fault = Header(properties, "MT-Fault-Message");
        string kind = Header(properties, "MT-Fault-ExceptionType");
        return new DeadLetter
        {
            Id = properties.MessageId is { Length: > 0 } id ? id : Convert.ToHexStringLower(SHA256.HashData(body.Span))[..16],
            Type = envelope.MessageType.FirstOrDefault()?.Split(':')[^1] ?? "",
            Queue = LastPart(input),
            Exchange = LastPart(envelope.DestinationAddress ?? ""),
            Reason = fault.Length > 0 ? $"{kind.Split('.')[^1]}: {fault}".ReplaceLineEndings(" ") : "no consumer knows messages of this type",
            At = DateTimeOffset.TryParse(Header(properties, "MT-Fault-Timestamp"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at) ? at
                : envelope.SentTime,
        };
    }

    /// <summary>As the message was before it was put away.</summary>
    public static BasicProperties Original(IReadOnlyBasicProperties properties)
    {
        BasicProperties original = new(properties) { Persistent = true };
        original.Headers = properties.Headers?.Where(header => !Array.Exists(Added, start => header.Key.StartsWith(start, StringComparison.Ordinal)))
            .ToDictionary(header => header.Key, header => header.Value);
        return original;
    }

    private static string Header(IReadOnlyBasicProperties properties, string name) =>
        properties.Headers is { } headers && headers.TryGetValue(name, out object? value)
            ? value switch { byte[] bytes => Encoding.UTF8.GetString(bytes), string text => text, _ => "" }
            : "";

    private static string LastPart(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) ? Uri.UnescapeDataString(uri.AbsolutePath.Split('/')[^1]) : "";

    private sealed record Envelope
    {
        public string[] MessageType { get; init; } = [];
        public string? DestinationAddress { get; init; }
        public DateTimeOffset? SentTime { get; init; }

        private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web);

        /// <summary>What anybody may have sent: there may be no envelope.</summary>
        public static Envelope Read(ReadOnlyMemory<byte> body)
        {
            try
            {
                return JsonSerializer.Deserialize<Envelope>(body.Span, Form) ?? new Envelope();
            }
            catch (JsonException)
            {
                return new Envelope();
            }
        }
    }
}
