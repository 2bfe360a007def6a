using System.Text;
using TwinKernel.Fleet.Probe.Measuring;
using TwinKernel.Fleet.Probe.Writes;

namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>PING; or, with a log of writes, SET of one key per request to the request's number. An error's first word is the outcome.</summary>
internal sealed class RedisDialogue(WriteLog? writes) : IDialogue
{
    private const int LongestWord = 32;

    public void Write(long number, ByteQueue request)
    {
        if (number < 0 || writes is null)
        {
            request.Append("*1\r\n$4\r\nPING\r\n"u8);
            return;
        }

        request.Append("*3\r\n$3\r\nSET\r\n"u8);
        Span<byte> key = stackalloc byte[WriteLog.LongestKey];
        Bulk(request, key[..writes.Key(number, key)]);
        Span<byte> value = stackalloc byte[20];
        number.TryFormat(value, out int digits, provider: null);
        Bulk(request, value[..digits]);
    }

    public int Read(ReadOnlySpan<byte> received, long number, out string? fault)
    {
        int end = received.IndexOf("\r\n"u8);
        ReadOnlySpan<byte> line = end < 0 ? [] : received[..end];
        fault = line.SequenceEqual(number < 0 || writes is null ? "+PONG"u8 : "+OK"u8) ? null
            : line is [(byte)'-', .. var error] ? Word(error)
            : Outcome.WrongAnswer;
        return end < 0 ? 0 : end + 2;
    }

    public void Counted(long number) => writes?.Acknowledge(number);

    private static void Bulk(ByteQueue request, ReadOnlySpan<byte> text)
    {
        request.Append("$"u8);
        request.Append(text.Length);
        request.Append("\r\n"u8);
        request.Append(text);
        request.Append("\r\n"u8);
    }

    private static string Word(ReadOnlySpan<byte> error)
    {
        int end = error.IndexOf((byte)' ');
        ReadOnlySpan<byte> word = end < 0 ? error : error[..end];
        return Encoding.ASCII.GetString(word[..Math.Min(word.Length, LongestWord)]);
    }
}
