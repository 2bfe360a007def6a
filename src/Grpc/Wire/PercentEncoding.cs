using System.Text;

namespace Grpc.Wire;

/// <summary>The text of a status in a header: UTF-8, then every byte but printable ASCII without '%' as %XX.</summary>
internal static class PercentEncoding
{
    public static string Encode(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~') && !text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }

        var encoded = new StringBuilder(text.Length + 16);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= 0x20 and <= 0x7E and not (byte)'%')
            {
                encoded.Append((char)b);
            }
            else
            {
                encoded.Append('%').Append(b.ToString("X2", null));
            }
        }

        return encoded.ToString();
    }

    /// <summary>Never fails: what is no valid escape stays as it is, what is no UTF-8 becomes U+FFFD.</summary>
    public static string Decode(string encoded)
    {
        if (!encoded.Contains('%', StringComparison.Ordinal))
        {
            return encoded;
        }

        var source = Encoding.UTF8.GetBytes(encoded);
        var decoded = new byte[source.Length];
        var length = 0;
        for (var i = 0; i < source.Length; i++)
        {
            if (source[i] == '%' && i + 2 < source.Length && char.IsAsciiHexDigit((char)source[i + 1]) && char.IsAsciiHexDigit((char)source[i + 2]))
            {
                decoded[length++] = (byte)((HexDigit(source[i + 1]) << 4) | HexDigit(source[i + 2]));
                i += 2;
            }
            else
            {
                decoded[length++] = source[i];
            }
        }

        return Encoding.UTF8.GetString(decoded, 0, length);
    }

    private static int HexDigit(byte b) => b <= '9' ? b - '0' : (b | 0x20) - 'a' + 10;
}
