using System.Globalization;
using TwinKernel.Fleet.Probe.Measuring;

namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>A line with the request's number, which comes back.</summary>
internal sealed class EchoDialogue : IDialogue
{
    public void Write(long number, ByteQueue request)
    {
        request.Append(number);
        request.Append("\n"u8);
    }

    public int Read(ReadOnlySpan<byte> received, long number, out string? fault)
    {
        int end = received.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = end < 0 ? [] : received[..end].TrimEnd((byte)'\r');
        fault = long.TryParse(line, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long back) && back == number ? null : Outcome.WrongAnswer;
        return end + 1;
    }
}
