using System.Diagnostics;
using System.Globalization;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// One Redis in one kernel, by its own replication. Kernel A's side: hold all writes, say how far they are, let go. Kernel B's: follow, catch up, be
/// the master. docs/services.md says why no write that was acknowledged is lost.
/// </summary>
internal sealed class RedisService(ServiceDefinition definition) : IReplicatedService
{
    /// <summary>A day: writes are let go by name. A pause that ran out behind a park would let in writes that kernel B has overtaken.</summary>
    private const string PauseMilliseconds = "86400000";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(1);

    public string Name => definition.Name;

    public IWriteHold PrepareHold()
    {
        WriteHold hold = new(this, Connect());
        hold.Rehearse();
        return hold;
    }

    /// <summary>By <c>CLIENT PAUSE</c>; the offset is that of Redis' replication.</summary>
    public long Hold()
    {
        using RespClient redis = Connect();
        return Hold(redis);
    }

    /// <summary>One question, not two: each waits behind all that the clients have sent.</summary>
    /// <inheritdoc cref="Hold()"/>
    internal long Hold(RespClient redis, string milliseconds = PauseMilliseconds)
    {
        redis.Send("CLIENT", "PAUSE", milliseconds, "WRITE");
        redis.Send("ROLE");
        redis.Receive();
        return MasterOffset(redis.Receive());
    }

    /// <returns>The replication offset behind the last command that was executed.</returns>
    internal long MasterOffset(RespClient redis) => MasterOffset(redis.Ask("ROLE"));

    /// <summary>Of an answer to <c>ROLE</c>.</summary>
    /// <inheritdoc cref="MasterOffset(RespClient)"/>
    internal long MasterOffset(RespReply role) => role is { Items: [{ Text: "master" }, { Number: var offset }, ..] }
        ? offset
        : throw new IOException($"{Name} is not a master: another than kernel B has made it a replica.");

    public void LetGo()
    {
        using RespClient redis = Connect();
        redis.Ask("CLIENT", "UNPAUSE");
    }

    public void ComeBack()
    {
        using RespClient redis = Connect();
        Drop(redis);
        redis.Ask("CLIENT", "UNPAUSE");
    }

    /// <summary>All clients but this one lose their connections, and what they have sent.</summary>
    internal static void Drop(RespClient redis)
    {
        redis.Ask("PING"); // Everything that had arrived before the park has been taken in behind the second answer.
        redis.Ask("PING");
        redis.Ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    }

    public string? Follow(string source)
    {
        using RespClient redis = Connect();
        RespReply reply = redis.Ask("ROLE");
        if (reply is { Items: [{ Text: "master" }, ..] })
        {
            redis.Ask("REPLICAOF", source, definition.Port.ToString(CultureInfo.InvariantCulture));
            return "it was a master";
        }

        return reply switch
        {
            { Items: [{ Text: "slave" }, _, _, { Text: "connected" }, ..] } => null,
            { Items: [{ Text: "slave" }, _, _, { Text: { } state }, ..] } => $"its replication is in state '{state}'",
            { Items: [{ Text: { } role }, ..] } => $"it is a {role}",
            _ => "it does not say what it is",
        };
    }

    private void CatchUp(RespClient redis, long offset)
    {
        long started = Stopwatch.GetTimestamp();
        long here;
        while ((here = Offset(redis)) < offset)
        {
            if (Stopwatch.GetElapsedTime(started) > Patience)
            {
                throw new IOException($"{Name} is {offset - here} bytes behind kernel A's after {Patience.TotalSeconds:0} s.");
            }

            Thread.Sleep(Look);
        }
    }

    public IPromotion Prepare() => new Promotion(this, Connect());

    internal RespClient Connect(TimeSpan? patience = null) => new(definition.Port, patience ?? Patience);

    /// <returns>How far a replica has executed its master's stream.</returns>
    internal static long Offset(RespClient redis) =>
        redis.Ask("ROLE") is { Items: [{ Text: "slave" }, _, _, _, { Number: var offset }] } ? offset : throw new IOException("Redis is no replica any more.");

    private sealed class WriteHold(RedisService service, RespClient redis) : IWriteHold
    {
        public long Hold() => service.Hold(redis);

        public void Rehearse()
        {
            try
            {
                service.Hold(redis, "0");
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public void Dispose() => redis.Dispose();
    }

    private sealed class Promotion(RedisService service, RespClient redis) : IPromotion
    {
        public string Name => service.Name;

        public void CatchUp(long offset) => service.CatchUp(redis, offset);

        public void Promote(bool mayHold)
        {
            bool holds = mayHold && service.Probation != ServiceDefinition.ServeWrites;
            if (holds)
            {
                redis.Send("CLIENT", "PAUSE", PauseMilliseconds, "WRITE");
            }

            redis.Send("REPLICAOF", "NO", "ONE");
            if (holds)
            {
                redis.Receive();
            }

            redis.Receive();
        }

        public void Dispose() => redis.Dispose();
    }

    private string Probation => definition.Probation;
}
