using System.Buffers.Binary;
using System.Text;
using TwinKernel.Fleet.Probe.Measuring;
using TwinKernel.Fleet.Probe.Writes;

namespace TwinKernel.Fleet.Probe.Exchanges;

/// <summary>
/// PostgreSQL's protocol 3.0, simple queries: SELECT of the request's number; or, with a log of writes, INSERT of one row per request, a
/// transaction each. The SQLSTATE of an error is the outcome.
/// </summary>
internal sealed class PostgresDialogue(ServiceAddress service, WriteLog? writes) : IDialogue
{
    /// <summary>What a server is told that wants a password, or another proof.</summary>
    public const string PasswordWanted = "password-wanted";

    private const int Version = 3 << 16;
    private const int Head = 5;
    private readonly byte[] _greeting = Encoding.UTF8.GetBytes($"user\0{service.User}\0database\0{service.Database}\0application_name\0twinfleet-probe\0\0");
    private readonly byte[] _insert = Encoding.ASCII.GetBytes($"INSERT INTO \"{writes?.KeyPrefix}\" VALUES (");

    public void Open(ByteQueue greeting)
    {
        Number(greeting, 8 + _greeting.Length);
        Number(greeting, Version);
        greeting.Append(_greeting);
    }

    public void Write(long number, ByteQueue request)
    {
        Span<byte> digits = stackalloc byte[20];
        number.TryFormat(digits, out int length, provider: null);
        digits = digits[..length];
        bool writing = number >= 0 && writes is not null;
        ReadOnlySpan<byte> before = writing ? _insert : "SELECT "u8;
        request.Append("Q"u8);
        Number(request, 4 + before.Length + length + (writing ? length + 2 : 0) + 1);
        request.Append(before);
        request.Append(digits);
        if (writing)
        {
            request.Append(","u8);
            request.Append(digits);
            request.Append(")"u8);
        }

        request.Append("\0"u8);
    }

    /// <summary>The answer ends with ReadyForQuery; one on a fresh connection has the server's greeting in front of it, which ends likewise.</summary>
    public int Read(ReadOnlySpan<byte> received, long number, out string? fault)
    {
        fault = null;
        bool answered = false, greeting = received[0] == 'R';
        for (int at = 0; at + Head <= received.Length;)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(received[(at + 1)..]);
            if (length < 4)
            {
                fault = Outcome.WrongAnswer;
                return received.Length;
            }

            if (received.Length - at - 1 < length)
            {
                return 0;
            }

            ReadOnlySpan<byte> body = received.Slice(at + Head, length - 4);
            byte kind = received[at];
            at += 1 + length;
            switch (kind)
            {
                case (byte)'Z' when greeting:
                    greeting = false;
                    break;
                case (byte)'Z':
                    fault ??= answered ? null : Outcome.WrongAnswer;
                    return at;
                case (byte)'R' when body.Length < 4 || BinaryPrimitives.ReadInt32BigEndian(body) != 0:
                    fault = PasswordWanted;
                    return at;
                case (byte)'E':
                    fault = Field(body, (byte)'C') ?? Outcome.WrongAnswer;
                    if (Field(body, (byte)'V') is "FATAL" or "PANIC")
                    {
                        return at;
                    }

                    break;
                case (byte)'C' when number >= 0 && writes is not null:
                    answered = body.SequenceEqual("INSERT 0 1\0"u8);
                    break;
                case (byte)'D':
                    answered = body.Length > 6 && long.TryParse(body[6..], out long back) && back == number;
                    break;
            }
        }

        return 0;
    }

    public void Counted(long number) => writes?.Acknowledge(number);

    private static string? Field(ReadOnlySpan<byte> fields, byte kind)
    {
        while (fields is [var found, .. var rest] && found != 0)
        {
            int end = rest.IndexOf((byte)0);
            if (end < 0)
            {
                return null;
            }

            if (found == kind)
            {
                return Encoding.ASCII.GetString(rest[..end]);
            }

            fields = rest[(end + 1)..];
        }

        return null;
    }

    private static void Number(ByteQueue request, int number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        request.Append(bytes);
    }
}
