using System.Globalization;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>Between metadata and HTTP headers.</summary>
internal static class MetadataHeaders
{
    /// <summary>The value of an entry as a header. Binary ones are base64 without padding.</summary>
    public static string Encode(Metadata.Entry entry) =>
        entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes).TrimEnd('=') : entry.Value;

    /// <summary>Adds a header that came; those of the protocol and those that no metadata can hold are left out.</summary>
    public static void AddReceived(Metadata metadata, string name, string value)
    {
        if (ProtocolHeaders.IsReserved(name) || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            return;
        }

        if (!name.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.OrdinalIgnoreCase))
        {
            if (!value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            {
                metadata.Add(name, value);
            }

            return;
        }

        foreach (var part in value.Split(',', StringSplitOptions.TrimEntries))
        {
            if (TryDecodeBase64(part, out var bytes))
            {
                metadata.Add(name, bytes);
            }
        }
    }

    /// <summary>The status of these headers or trailers; null when there is none.</summary>
    public static Status? ReadStatus(string? status, string? message)
    {
        if (status is null)
        {
            return null;
        }

        var detail = PercentEncoding.Decode(message ?? "");
        return int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var code) && code <= (int)StatusCode.Unauthenticated
            ? new Status((StatusCode)code, detail)
            : new Status(StatusCode.Unknown, $"The peer sent the unknown status \"{status}\". {detail}".TrimEnd());
    }

    private static bool TryDecodeBase64(string text, out byte[] bytes)
    {
        var padded = (text.Length % 4) switch
        {
            2 => text + "==",
            3 => text + "=",
            _ => text,
        };
        bytes = new byte[padded.Length / 4 * 3];
        if (!Convert.TryFromBase64String(padded, bytes, out var written))
        {
            return false;
        }

        Array.Resize(ref bytes, written);
        return true;
    }
}
