using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Preserved;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent.Probation;

/// <summary>
/// The journals of the services with <c>"probation": "journal"</c>, each in its service's piece of preserved memory, the same in both kernels. Kernel A lays them
/// out and, should it come back, replays them; kernel B fills them (<see cref="JournalledProbation"/>). Without that memory there are none, and
/// writes wait for the commit.
/// </summary>
public sealed partial class ServiceJournals(ServiceDirectory directory, KernelFiles files, GuestNetwork network, KernelIdentity identity, ILogger<ServiceJournals> logger)
{
    private readonly ConcurrentDictionary<string, WriteJournal> _mapped = new();

    // Kernel A: those that it has laid out.
    private readonly HashSet<string> _laidOut = [];

    // Kernel B: those that it fills, what answers wait in, and why it does not fill them.
    private readonly List<OutputPlug> _plugs = [];
    private readonly HashSet<string> _plugged = [];
    private IReadOnlyList<RedisService>? _prepared;
    private ImmutableDictionary<string, JournalledRedis> _connected = ImmutableDictionary<string, JournalledRedis>.Empty;
    private IReadOnlyList<RedisService> _filled = [];
    private JournalledProbation? _probation;

    private Guid Here => Guid.Parse(identity.BootId);

    // ---- kernel A -------------------------------------------------------------------------------------------------

    /// <summary>An empty journal for a service whose writes are held.</summary>
    /// <param name="offset">How far it is.</param>
    /// <exception cref="IOException">Its memory cannot be mapped.</exception>
    public void LayOut(string service, long offset)
    {
        if (Services().Any(redis => redis.Name == service) && Find(service) is { } journal)
        {
            journal.LayOut(Here, offset);
            _laidOut.Add(service);
        }
    }

    /// <summary>Executes here what kernel B has acknowledged, before clients reach the service again. Goes on where an agent before has ended.</summary>
    /// <param name="facts">Get one that tells what was done, where there is a journal of this kernel's.</param>
    /// <exception cref="IOException">Not all was executed.</exception>
    public void Replay(string service, IDictionary<string, string> facts)
    {
        if (Services().FirstOrDefault(redis => redis.Name == service) is not { } redis || Find(service) is not { } journal)
        {
            return;
        }

        if (!journal.IsLaidOut || journal.ReplayedBy != Here)
        {
            if (_laidOut.Contains(service))
            {
                throw new IOException($"{service}: the journal is not what was laid out; what kernel B acknowledged is lost");
            }

            return;
        }

        JournalReplay.Outcome outcome = JournalReplay.Run(redis, journal);
        _laidOut.Remove(service);
        Log.Replayed(logger, service, outcome.Commands, outcome.Bytes);
        facts[$"journal.{service}"] = outcome.Problem ?? $"{outcome.Commands} commands, {outcome.Bytes} bytes";
        if (outcome.Problem is { } problem)
        {
            throw new IOException($"{service}: {problem}");
        }
    }

    /// <summary>In an agent that is started where one before may have ended behind a park, before it could replay.</summary>
    public void Recover(string service)
    {
        try
        {
            Replay(service, new Dictionary<string, string>());
        }
        catch (IOException error)
        {
            Log.NotReplayed(logger, error.Message);
        }
    }

    /// <summary>There is nothing to replay any more: the hand-over was called off, or has been committed. Idempotent.</summary>
    /// <exception cref="IOException">The memory of one cannot be mapped.</exception>
    public void Discard()
    {
        foreach (RedisService redis in Services())
        {
            if (Find(redis.Name) is { IsLaidOut: true } journal)
            {
                if (journal.ReplayedFrom == WriteJournal.NotReplayed)
                {
                    journal.Discard();
                }
                else
                {
                    JournalReplay.End(redis, journal);
                }
            }
        }

        _laidOut.Clear();
    }

    // ---- kernel B -------------------------------------------------------------------------------------------------

    /// <summary>Before the gap: finds and maps those that may be filled, and connects to their services.</summary>
    /// <exception cref="IOException">The memory of one cannot be mapped, or a service does not answer.</exception>
    public void Prepare()
    {
        Disconnect();
        _prepared = Fillable();
        foreach (RedisService redis in _prepared)
        {
            _connected = _connected.Add(redis.Name, new JournalledRedis(redis, Find(redis.Name)!));
        }
    }

    /// <summary>In front of the park: the service is a master and holds its writes. What fails here is done behind the park.</summary>
    public void Follow(string service)
    {
        if (_connected.GetValueOrDefault(service) is not { } redis || Find(service) is not { IsLaidOut: true })
        {
            return;
        }

        try
        {
            redis.Begin();
        }
        catch (IOException error)
        {
            Log.Follows(logger, service, error.Message);
            _connected = _connected.Remove(service);
            redis.Dispose();
        }
    }

    /// <summary>At the begin of the gap: which are to be filled.</summary>
    /// <param name="mayReturn">There is a way back.</param>
    public void Choose(bool mayReturn)
    {
        if (_prepared is null)
        {
            // The agent that prepared them has ended.
            _prepared = Fillable();
        }

        _filled = mayReturn ? [.. _prepared.Where(redis => Find(redis.Name) is { IsLaidOut: true })] : [];
        if (_filled.Count < _connected.Count)
        {
            Disconnect();
        }
    }

    /// <summary>In front of an interface's coming up: what leaves by it can be made to wait for the journals. Without any there is nothing to do.</summary>
    /// <param name="networkInterface">Its name.</param>
    /// <returns>Why it cannot. Null: it can, or need not.</returns>
    public string? Plug(string networkInterface)
    {
        if (_plugged.Contains(networkInterface) || !(_prepared ?? Services()).Any(redis => Find(redis.Name) is not null))
        {
            return null;
        }

        try
        {
            _plugs.Add(OutputPlug.Install(Index(networkInterface)));
            _plugged.Add(networkInterface);
            return null;
        }
        catch (IOException error)
        {
            return error.Message;
        }
    }

    /// <summary>The services are masters, and hold their writes; those that are journalled let them go from here on by themselves.</summary>
    public void Begin(StepContext context)
    {
        if (_filled.Count == 0)
        {
            return;
        }

        // Those that came up before have theirs, unless it failed or an agent before this one had it.
        string? problem = network.List(name => !_plugged.Contains(name) && network.IsUp(name)).Select(card => Plug(card.Name)).FirstOrDefault(failed => failed is not null);
        if (problem is not null)
        {
            Disconnect();
            Log.Waits(logger, problem);
        }
        else
        {
            _probation = new JournalledProbation(Connect, _plugs, logger);
            _probation.Begin();
        }

        context.Facts["journal"] = problem ?? string.Join(", ", _filled.Select(redis => redis.Name));
    }

    /// <summary>There is no way back any more: nothing waits, and nothing is to be replayed. Who had writes held lets them go. Idempotent.</summary>
    /// <exception cref="IOException">The kernel does not let packets go.</exception>
    public void End()
    {
        _probation?.End();
        Discard();
    }

    /// <summary>Behind <see cref="End"/>: what answers waited in goes as well, also what an agent before this one has left. Idempotent.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Unplug()
    {
        if (Services().Any())
        {
            foreach (GuestInterface card in network.List())
            {
                OutputPlug.Remove(Index(card.Name));
            }
        }

        _probation?.Dispose();
        _probation = null;
    }

    // ---- both -----------------------------------------------------------------------------------------------------

    /// <summary>A service's journal, laid out or not. Null: there is no memory for one.</summary>
    /// <exception cref="IOException">There is, and it cannot be mapped.</exception>
    private WriteJournal? Find(string service) =>
        _mapped.TryGetValue(service, out WriteJournal? found) ? found
        : files.Exists(PreservedPiece.PathOf(service)) ? _mapped.GetOrAdd(service, Map(PreservedPiece.Open(service)))
        : null;

    /// <summary>For good.</summary>
    private static unsafe WriteJournal Map(PreservedPiece piece) => new(piece.Start, (long)piece.Length);

    private IEnumerable<RedisService> Services() =>
        directory.Read().Where(service => service.IsJournalled).Select(service => new RedisService(service));

    private int Index(string networkInterface) => int.Parse(files.Read($"/sys/class/net/{networkInterface}/ifindex"), CultureInfo.InvariantCulture);

    private List<RedisService> Fillable() => [.. Services().Where(redis => Find(redis.Name) is not null)];

    /// <summary>Over what was connected ahead of the gap, once.</summary>
    private List<JournalledRedis> Connect()
    {
        ImmutableDictionary<string, JournalledRedis> ahead = Interlocked.Exchange(ref _connected, _connected.Clear());
        List<JournalledRedis> connected = [];
        try
        {
            connected.AddRange(_filled.Select(redis => ahead.GetValueOrDefault(redis.Name) ?? new JournalledRedis(redis, Find(redis.Name)!)));
            return connected;
        }
        catch
        {
            connected.ForEach(redis => redis.Dispose());
            throw;
        }
    }

    private void Disconnect()
    {
        foreach (JournalledRedis redis in Interlocked.Exchange(ref _connected, _connected.Clear()).Values)
        {
            redis.Dispose();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(523, LogLevel.Warning, "journal: {Name}: executed {Commands} commands of kernel B's, {Bytes} bytes")]
        public static partial void Replayed(ILogger logger, string name, int commands, int bytes);

        [LoggerMessage(524, LogLevel.Error, "journal: writes wait for the commit: {Message}")]
        public static partial void Waits(ILogger logger, string message);

        [LoggerMessage(526, LogLevel.Warning, "journal: {Name} is followed behind the park only: {Message}")]
        public static partial void Follows(ILogger logger, string name, string message);

        [LoggerMessage(522, LogLevel.Critical, "journal: {Message}")]
        public static partial void NotReplayed(ILogger logger, string message);
    }
}
