using System.Text;

namespace TwinKernel.Fleet.Cli.Tests;

/// <summary>What a command has printed so far; read while it prints.</summary>
internal sealed class RecordedOutput : TextWriter
{
    private readonly StringBuilder text = new();

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value)
    {
        lock (text)
        {
            text.Append(value);
        }
    }

    public override void Write(string? value)
    {
        lock (text)
        {
            text.Append(value);
        }
    }

    public override void Write(ReadOnlySpan<char> buffer)
    {
        lock (text)
        {
            text.Append(buffer);
        }
    }

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override string ToString()
    {
        lock (text)
        {
            return text.ToString();
        }
    }
}
