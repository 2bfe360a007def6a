using System.Diagnostics;
using System.Globalization;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent.Probation;

/// <summary>
/// In kernel B, a Redis that is a master by now, and its journal: the agent is one of its replicas (PSYNC) from where the journal ends, and copies
/// what comes. One that is made anew goes on behind what the one before has copied. Connected to the Redis, at best ahead of the gap, while that is a copy itself.
/// </summary>
internal sealed class JournalledRedis : IDisposable
{
    /// <summary>A replica that is silent for <c>repl-timeout</c>, 60 s unless set, is dropped.</summary>
    private static readonly TimeSpan Report = TimeSpan.FromSeconds(1);

    private readonly RedisService _redis;
    private readonly WriteJournal _journal;
    private readonly RespClient _control;
    private readonly RespClient _stream;
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly string _replicationId;
    private bool _follows;
    private long _reported = Stopwatch.GetTimestamp();

    /// <exception cref="IOException">It does not answer.</exception>
    public JournalledRedis(RedisService redis, WriteJournal journal)
    {
        (_redis, _journal) = (redis, journal);
        _control = redis.Connect();
        _stream = redis.Connect();
        try
        {
            // A copy tells its master's, which holds for it as a master too, up to where it became one.
            _replicationId = _control.Info("replication", "master_replid") ?? throw new IOException($"{redis.Name} does not tell its replication id");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>It is a master: follows it from where the journal ends, and has in the journal all that it has executed up to now. Does so once.</summary>
    /// <exception cref="IOException">It does not have all that follows the journal, or does not answer.</exception>
    public void Begin()
    {
        if (_follows)
        {
            return;
        }

        string wanted = (_journal.End + 1).ToString(CultureInfo.InvariantCulture);
        _stream.Send("PSYNC", _replicationId, wanted);
        _control.Send("ROLE");
        string answer = _stream.Receive().Text ?? "";
        if (!answer.StartsWith("CONTINUE", StringComparison.Ordinal))
        {
            throw new IOException($"{_redis.Name} cannot go on from offset {wanted}: '{answer}'");
        }

        CopyTo(_redis.MasterOffset(_control.Receive()));
        _follows = true;
    }

    public bool IsNearlyFull => _journal.IsNearlyFull;

    /// <summary>No write is executed from here on, and all that were are in the journal.</summary>
    /// <exception cref="IOException">As all here: it does not answer within seconds, or the journal is full.</exception>
    public void Hold() => CopyTo(_redis.Hold(_control));

    /// <summary>Writes go on.</summary>
    public void LetGo() => _control.Ask("CLIENT", "UNPAUSE");

    /// <summary>All that it has executed up to now is in the journal.</summary>
    public void CatchUp() => CopyTo(_redis.MasterOffset(_control));

    public void Dispose()
    {
        _control.Dispose();
        _stream.Dispose();
    }

    private void CopyTo(long offset)
    {
        while (_journal.End < offset)
        {
            int due = (int)Math.Min(_buffer.Length, offset - _journal.End);
            _journal.Append(_buffer.AsSpan(0, _stream.Read(_buffer.AsSpan(0, due))));
        }

        if (Stopwatch.GetElapsedTime(_reported) > Report)
        {
            _stream.Send("REPLCONF", "ACK", _journal.End.ToString(CultureInfo.InvariantCulture));
            _reported = Stopwatch.GetTimestamp();
        }
    }
}
