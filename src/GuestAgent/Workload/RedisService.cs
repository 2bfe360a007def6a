using System.Diagnostics;
using System.Globalization;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// One Redis in one kernel, by its own replication. Kernel A's side: hold all writes, say how far they are, let go. Kernel B's: follow, catch up, be
/// the master. docs/services.md says why no write that was acknowledged is lost.
/// </summary>
internal sealed class RedisService(ServiceDefinition definition)
{
    /// <summary>A day: writes are let go by name. A pause that ran out behind a park would let in writes that kernel B has overtaken.</summary>
    private const string PauseMilliseconds = "86400000";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(1);

    public string Name => definition.Name;

    /// <summary>No write is executed from here on.</summary>
    /// <returns>The replication offset behind the last that was.</returns>
    public long Hold()
    {
        using RespClient redis = Connect();
        redis.Ask("CLIENT", "PAUSE", PauseMilliseconds, "WRITE");
        return redis.Ask("ROLE") is { Items: [{ Text: "master" }, { Number: var offset }, ..] }
            ? offset
            : throw new IOException($"{Name} is not a master: another than kernel B has made it a replica.");
    }

    /// <summary>Writes that wait go on, in the kernel that has executed none since.</summary>
    public void LetGo()
    {
        using RespClient redis = Connect();
        redis.Ask("CLIENT", "UNPAUSE");
    }

    /// <summary>
    /// In kernel A when it has taken the machine back. Writes that waited since before the park are dropped with their connections: their clients may
    /// have written anew to kernel B since. None was acknowledged.
    /// </summary>
    public void ComeBack()
    {
        using RespClient redis = Connect();
        redis.Ask("PING"); // Everything that had arrived before the park has been taken in behind the second answer.
        redis.Ask("PING");
        redis.Ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        redis.Ask("CLIENT", "UNPAUSE");
    }

    /// <summary>Copies from kernel A's, and goes on copying.</summary>
    public void Follow(string host)
    {
        using RespClient redis = Connect();
        redis.Ask("REPLICAOF", host, definition.Port.ToString(CultureInfo.InvariantCulture));
    }

    /// <returns>Why it does not follow yet; null: it does.</returns>
    public string? NotFollowing()
    {
        using RespClient redis = Connect();
        return redis.Ask("ROLE") switch
        {
            { Items: [{ Text: "slave" }, _, _, { Text: "connected" }, ..] } => null,
            { Items: [{ Text: "slave" }, _, _, { Text: { } state }, ..] } => $"its replication is in state '{state}'",
            { Items: [{ Text: { } role }, ..] } => $"it is a {role}",
            _ => "it does not say what it is",
        };
    }

    /// <summary>Waits until everything up to an offset of kernel A's is here.</summary>
    /// <exception cref="IOException">It is not within 2 s.</exception>
    public void CatchUp(long offset)
    {
        using RespClient redis = Connect();
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

    /// <summary>Connected ahead of the gap.</summary>
    public Promotion Prepare() => new(this, Connect());

    private RespClient Connect() => new(definition.Port, Patience);

    private static long Offset(RespClient redis) =>
        redis.Ask("ROLE") is { Items: [{ Text: "slave" }, _, _, _, { Number: var offset }] } ? offset : throw new IOException("Redis is no replica any more.");

    /// <summary>From copy to master, inside the gap: asked first, and answered while the card is on its way.</summary>
    internal sealed class Promotion(RedisService service, RespClient redis) : IDisposable
    {
        private bool _holds;

        public string Name => service.Name;

        /// <param name="mayHold">There is a way back, on which writes would be lost.</param>
        public void Ask(bool mayHold)
        {
            _holds = mayHold && service.Probation == ServiceDefinition.HoldWrites;
            if (_holds)
            {
                redis.Send("CLIENT", "PAUSE", PauseMilliseconds, "WRITE");
            }

            redis.Send("REPLICAOF", "NO", "ONE");
        }

        /// <exception cref="IOException">Redis has refused.</exception>
        public void Confirm()
        {
            if (_holds)
            {
                redis.Receive();
            }

            redis.Receive();
        }

        public void Dispose() => redis.Dispose();
    }

    private string Probation => definition.Probation;
}
