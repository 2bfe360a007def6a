using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent.Probation;

/// <summary>
/// Back in kernel A: its Redis follows the journal by its own replication, as it would a master that it was cut off from. So nothing is executed
/// otherwise than kernel B's did it (a replica lets no key expire by itself, and knows no limit of memory), and how far it is can be asked of it: a replay
/// that was broken off goes on where it stopped.
/// </summary>
internal static class JournalReplay
{
    /// <summary>For one answer of Redis', which may be at a command that takes long, and for any step forward.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(1);

    /// <param name="Commands">Executed.</param>
    /// <param name="Bytes">Of the stream.</param>
    /// <param name="Problem">What is lost; null: nothing.</param>
    public sealed record Outcome(int Commands, int Bytes, string? Problem);

    /// <summary>
    /// Replays and discards it. A transaction or command whose end is missing was acknowledged to nobody, and is left out.
    /// Redis is a master afterwards; its clients' connections are dropped, and its writes go on.
    /// </summary>
    /// <exception cref="IOException">Redis is gone, or does not follow; how much of it was executed is not known.</exception>
    public static Outcome Run(RedisService redis, WriteJournal journal)
    {
        byte[] stream = journal.Contents(out long damaged);
        int whole = Whole(stream, out int commands, out string? problem);
        problem = damaged > 0 ? $"the journal's last {damaged} bytes are damaged, and what they held is lost" : problem;
        try
        {
            if (whole > 0 && journal.ReplayedFrom != WriteJournal.Replayed)
            {
                using RespClient control = redis.Connect(Patience);
                long before = Refusals(control);
                Follow(control, journal, stream.AsSpan(0, whole));
                long refused = Refusals(control) - before;
                problem ??= refused > 0 ? $"{refused} of {commands} commands of the journal were refused" : null;
            }
        }
        finally
        {
            End(redis, journal);
        }

        return new Outcome(commands, whole, problem);
    }

    /// <summary>Redis is a master again, and there is no journal. What it executes from now on must not be taken for progress in it. Idempotent.</summary>
    /// <exception cref="IOException">Redis is gone. To be called again.</exception>
    public static void End(RedisService redis, WriteJournal journal)
    {
        journal.ReplayedFrom = WriteJournal.Replayed;
        using RespClient control = redis.Connect();
        control.Ask("REPLICAOF", "NO", "ONE");
        journal.Discard();
    }

    private static void Follow(RespClient control, WriteJournal journal, ReadOnlySpan<byte> stream)
    {
        RedisService.Drop(control);
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);

        // While its writes are still held: between a master's and a replica's time nothing expires.
        control.Ask("REPLICAOF", "127.0.0.1", ((IPEndPoint)listener.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture));
        using RespClient replica = listener.Poll(Patience, SelectMode.SelectRead)
            ? new RespClient(listener.Accept(), Patience)
            : throw new IOException($"Redis does not come for the journal within {Patience.TotalSeconds:0} s");
        long executed = Greet(replica) - 1;
        if (journal.ReplayedFrom == WriteJournal.NotReplayed)
        {
            journal.ReplayedFrom = executed;
        }

        long from = journal.ReplayedFrom;
        if (executed < from || executed > from + stream.Length)
        {
            throw new IOException($"Redis is at {executed}, and the journal of {stream.Length} bytes began at {from}: it is not the Redis that began with it");
        }

        control.Ask("CLIENT", "UNPAUSE");
        replica.Send("+CONTINUE\r\n"u8);
        replica.Send(stream[(int)(executed - from)..]);
        Await(control, from + stream.Length);
    }

    /// <returns>Offset of the first byte that it wants.</returns>
    internal static long Greet(RespClient replica)
    {
        while (true)
        {
            string?[] words = [.. replica.Read().Items.Select(item => item.Text)];
            switch (words)
            {
                case ["PING"]:
                    replica.Send("+PONG\r\n"u8);
                    break;
                case ["REPLCONF", ..]:
                    replica.Send("+OK\r\n"u8);
                    break;
                case ["PSYNC", _, { } offset] when long.TryParse(offset, CultureInfo.InvariantCulture, out long first) && first > 0:
                    return first;
                default:
                    throw new IOException($"Redis says '{string.Join(' ', words)}' where it should ask for the journal");
            }
        }
    }

    private static void Await(RespClient control, long offset)
    {
        long here, last = -1;
        long since = Stopwatch.GetTimestamp();
        while ((here = RedisService.Offset(control)) < offset)
        {
            if (here != last)
            {
                (last, since) = (here, Stopwatch.GetTimestamp());
            }
            else if (Stopwatch.GetElapsedTime(since) > Patience)
            {
                throw new IOException($"Redis does not execute the last {offset - here} bytes of the journal");
            }

            Thread.Sleep(Look);
        }
    }

    /// <summary>Commands of a master that a replica has answered with an error. Nobody hears the answer.</summary>
    private static long Refusals(RespClient redis) => long.Parse(redis.Info("stats", "unexpected_error_replies") ?? "0", CultureInfo.InvariantCulture);

    /// <returns>Length of the commands and transactions that are whole.</returns>
    private static int Whole(ReadOnlySpan<byte> stream, out int commands, out string? problem)
    {
        int whole = commands = 0;
        problem = null;
        try
        {
            while (NextUnit(stream[whole..], out int length, out int executed))
            {
                whole += length;
                commands += executed;
            }
        }
        catch (FormatException error)
        {
            problem = error.Message;
        }

        return whole;
    }

    /// <summary>A command, or a transaction from MULTI to EXEC.</summary>
    /// <param name="commands">How many of them do something: not what the link says of itself.</param>
    /// <returns>False: there is no whole one.</returns>
    private static bool NextUnit(ReadOnlySpan<byte> stream, out int length, out int commands)
    {
        length = commands = 0;
        bool open = false;
        do
        {
            if (!NextCommand(stream[length..], out int bytes, out ReadOnlySpan<byte> name))
            {
                return false;
            }

            length += bytes;
            commands += Is(name, "PING"u8) || Is(name, "REPLCONF"u8) || Is(name, "SELECT"u8) || Is(name, "MULTI"u8) || Is(name, "EXEC"u8) ? 0 : 1;
            open = Is(name, "MULTI"u8) || (open && !Is(name, "EXEC"u8));
        }
        while (open);
        return true;
    }

    private static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> word) => Ascii.EqualsIgnoreCase(name, word);

    private static bool NextCommand(ReadOnlySpan<byte> stream, out int length, out ReadOnlySpan<byte> name)
    {
        name = default;
        length = 0;
        if (!NextNumber(stream, ref length, (byte)'*', out int words))
        {
            return false;
        }

        for (int word = 0; word < words; word++)
        {
            if (!NextNumber(stream, ref length, (byte)'$', out int bytes) || stream.Length - length < bytes + 2)
            {
                return false;
            }

            name = word == 0 ? stream.Slice(length, bytes) : name;
            length += bytes + 2;
        }

        return true;
    }

    private static bool NextNumber(ReadOnlySpan<byte> stream, ref int at, byte kind, out int number)
    {
        number = 0;
        ReadOnlySpan<byte> rest = stream[at..];
        int end = rest.IndexOf((byte)'\n');
        if (end < 0)
        {
            return false;
        }

        if (rest[0] != kind || !Utf8Parser.TryParse(rest[1..end], out number, out int used) || used + 2 != end || number < 0)
        {
            throw new FormatException($"the journal holds '{Encoding.ASCII.GetString(rest[..Math.Min(end, 32)]).TrimEnd()}' where '{(char)kind}' and a number belong; what follows is lost");
        }

        at += end + 1;
        return true;
    }
}
