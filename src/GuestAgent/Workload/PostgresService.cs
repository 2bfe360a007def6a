using System.Diagnostics;
using System.Globalization;
using System.Text;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// One PostgreSQL in one kernel, by streaming replication. Kernel A's side: let the copy in, have every commit wait until the copy has it, be rid of it
/// again. Kernel B's: follow, catch up, be promoted. docs/services.md says why no write that was acknowledged is lost.
/// </summary>
internal sealed class PostgresService(ServiceDefinition definition, KernelFiles files) : IReplicatedService
{
    /// <summary>Where kernel B's copy, as it is started, finds whom to copy from: a connection string, and the password file that it names.</summary>
    public const string PrimaryDirectory = "/run/twinkernel/primary";

    private const string Role = "twinkernel";

    /// <summary>No standby has this name (theirs end in digits), so a commit that waits for it waits until this is taken away.</summary>
    private const string Nobody = "twinkernel_nobody";
    private const string Offset = "- '0/0'::pg_lsn)::bigint";
    private const int SecretBytes = 24;
    private const int NumberBytes = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>For a connection, and for each answer: where somebody waits for it, and where nobody does. A busy emulated machine takes seconds for the first connection.</summary>
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan SlowAnswer = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PromotionPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5);

    /// <summary>For a checkpoint, which writes what is dirty. Nothing waits for it.</summary>
    private static readonly TimeSpan CheckpointPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    public string Name => definition.Name;

    private bool HoldsInProbation => definition.Probation != ServiceDefinition.ServeWrites;

    // ---- kernel A -------------------------------------------------------------------------------------------------

    /// <summary>A password for the role that copies, of this upgrade and for an hour. Connections of an attempt before it end.</summary>
    public CopyInvitation Invite()
    {
        string password = Draw(SecretBytes);
        using PostgresSession session = Connect(SlowAnswer);
        if (session.Row("select pg_is_in_recovery()") is [true])
        {
            throw new IOException($"{Name} is a standby itself.");
        }

        if (session.Row($"select true from pg_roles where rolname = '{Role}'") is [])
        {
            session.Do($"create role {Role}");
        }

        string until = TimeProvider.System.GetUtcNow().AddHours(1).ToString("yyyy-MM-dd HH:mm:ss+00", CultureInfo.InvariantCulture);
        session.Do($"alter role {Role} login replication password '{password}' valid until '{until}'");
        session.Row($"select bool_and(pg_terminate_backend(pid)) from pg_stat_replication where usename = '{Role}'");
        return new CopyInvitation { Name = $"{Role}_{Convert.ToUInt32(Draw(NumberBytes), 16)}", Password = password };
    }

    /// <summary>
    /// By <c>synchronous_standby_names</c>. That the process which makes committing backends wait has seen the setting cannot be asked for. It looks for changed
    /// settings each time before it takes on a checkpoint, so behind the second of two that were asked for it has.
    /// </summary>
    public ICoupling Couple()
    {
        PostgresSession session = Connect(SlowAnswer);
        try
        {
            string standby = Standby(session) ?? throw new IOException($"{Name}: kernel B's copy does not follow.");
            Set(session, "synchronous_standby_names", standby);
            long started = Stopwatch.GetTimestamp();
            while (!IsSynchronous(session, standby))
            {
                Wait(started, SlowAnswer, () => $"{Name}: kernel B's copy did not become synchronous");
            }

            Settle();
            return new Coupling(this, session);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    public IWriteHold? PrepareHold()
    {
        using PostgresSession session = Connect(SlowAnswer);
        Written(session);
        return null;
    }

    /// <summary>Commits wait for the copy already, as a rule; one that was uncoupled meanwhile is coupled again. The offset is that of the write-ahead log.</summary>
    public long Hold()
    {
        using PostgresSession session = Connect();
        return Hold(session);
    }

    private long Hold(PostgresSession session)
    {
        if (session.Row($"select exists (select from pg_stat_replication where usename = '{Role}' and state = 'streaming' and sync_state = 'sync')") is not [true])
        {
            Couple().Dispose();
        }

        return Written(session);
    }

    public void LetGo()
    {
        using PostgresSession session = Connect(SlowAnswer);
        Reset(session, "synchronous_standby_names");
        if (session.Row("select pg_is_in_recovery()") is [true])
        {
            return;
        }

        if (files.Exists(PasswordPath))
        {
            // It was the copy: nothing of that is left.
            Reset(session, "primary_conninfo");
            session.Do($"alter role {Role} password null");
            File.Delete(files.At(PrimaryPath(Name)));
            File.Delete(files.At(PasswordPath));
        }
    }

    public void ComeBack()
    {
        using (PostgresSession session = Connect(SlowAnswer))
        {
            // Gone before writes go on: one that is only told to end may still take its commit for done.
            long started = Stopwatch.GetTimestamp();
            string ended = session.Row("select string_agg(case when pg_terminate_backend(pid) then pid end::text, ',') from pg_stat_activity where backend_type in ('client backend', 'walsender') and pid <> pg_backend_pid()") is [string pids] ? pids : "0";
            while (session.Row($"select exists (select from pg_stat_activity where pid in ({ended}))") is [true])
            {
                Wait(started, SlowAnswer, () => $"{Name}: clients' connections did not end");
            }
        }

        LetGo();
    }

    // ---- kernel B -------------------------------------------------------------------------------------------------

    /// <summary>The connection string that the service's start reads: a file beside the one with the password, which libpq wants to belong to who reads it.</summary>
    public void Join(string source, CopyInvitation? invitation)
    {
        if (invitation is null)
        {
            throw new IOException($"{Name}: kernel A's agent sends no password; it does not know {definition.Handover}.");
        }

        Directory.CreateDirectory(files.At(PrimaryDirectory));
        string password = files.At(PasswordPath);
        FileStreamOptions secret = new() { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        using (FileStream file = new(password, secret))
        {
            // Of an attempt before this one, as long; its owner is that which the service's start has given it.
            file.Write(Encoding.ASCII.GetBytes($"*:*:*:{Role}:{invitation.Password}\n"));
        }

        File.WriteAllText(files.At(PrimaryPath(Name)), $"host={source} port={definition.Port} user={Role} application_name={invitation.Name} passfile={password}");
    }

    public string? Follow(string source)
    {
        using PostgresSession session = Connect(SlowAnswer);
        if (session.Row("select pg_is_in_recovery()") is not [true])
        {
            return "it is no copy of kernel A's: its start takes no notice of TWINKERNEL_PRIMARY";
        }

        // From the first moment as a primary: what it would acknowledge in between could be lost.
        string wanted = HoldsInProbation ? Nobody : "";
        if (session.Row("select current_setting('synchronous_standby_names')") is not [string names] || names != wanted)
        {
            Set(session, "synchronous_standby_names", wanted);
            Settle();
            return "its settings were kernel A's";
        }

        switch (session.Row("select status from pg_stat_wal_receiver"))
        {
            case ["streaming"]:
                VisitDatabases(session);
                return null;
            case [string status]:
                return $"its replication is in state '{status}'";
            default:
                return "it does not reach kernel A's";
        }
    }

    /// <summary>
    /// The first session in a database makes the file from which all others read its catalogs' descriptions (<c>pg_internal.init</c>, relcache.c), which a base backup leaves out. Without
    /// it each client that comes anew behind the cut-over would make them, all at once. A database in which root is not let in, or for which the time is over, is left to its clients.
    /// </summary>
    private void VisitDatabases(PostgresSession session)
    {
        long started = Stopwatch.GetTimestamp();
        if (session.Row("select string_agg(datname, chr(10)) from pg_database where datallowconn and not datistemplate and datname <> 'postgres'") is not [string names])
        {
            return;
        }

        foreach (string database in names.Split('\n').TakeWhile(_ => Stopwatch.GetElapsedTime(started) < WarmUp))
        {
            try
            {
                Connect(database: database).Dispose();
            }
            catch (IOException)
            {
                // It costs its clients time, and nothing else.
            }
        }
    }

    private void CatchUp(PostgresSession session, long offset)
    {
        long started = Stopwatch.GetTimestamp();
        while (session.Row($"select (pg_last_wal_receive_lsn() {Offset}, (pg_last_wal_replay_lsn() {Offset}") is var row && !(row is [long received, long replayed] && received >= offset && replayed >= offset))
        {
            Wait(started, Patience, () => $"{Name} has received {row[0]} and executed {row[1]} of kernel A's {offset} bytes");
        }
    }

    public IPromotion Prepare() => new Promotion(this, Connect(PromotionPatience));

    /// <summary>Where kernel B's agent leaves the connection string for the start of a copy.</summary>
    internal static string PrimaryPath(string name) => $"{PrimaryDirectory}/{name}";

    // ---- both -----------------------------------------------------------------------------------------------------

    private string PasswordPath => $"{PrimaryPath(Name)}.password";

    private PostgresSession Connect(TimeSpan? patience = null, string database = "postgres") => new(Name, files.At(definition.Socket), definition.Port, patience ?? Answer, database);

    private static long Written(PostgresSession session) =>
        session.Row($"select (pg_current_wal_flush_lsn() {Offset}") is [long offset] ? offset : throw new IOException($"{session.Service} does not say how far it is.");

    /// <summary>The name of the newest standby of ours that follows; null: none does.</summary>
    private static string? Standby(PostgresSession session) =>
        session.Row($"select application_name from pg_stat_replication where usename = '{Role}' and state = 'streaming' and application_name ~ '^{Role}_[0-9]+$' order by backend_start desc limit 1") is [string name] ? name : null;

    private static bool IsSynchronous(PostgresSession session, string standby) =>
        session.Row($"select true from pg_stat_replication where application_name = '{standby}' and state = 'streaming' and sync_state = 'sync'") is [true];

    private static void Set(PostgresSession session, string setting, string value)
    {
        session.Do($"alter system set {setting} = '{value}'");
        session.Row("select pg_reload_conf()");
    }

    private static void Reset(PostgresSession session, string setting)
    {
        session.Do($"alter system reset {setting}");
        session.Row("select pg_reload_conf()");
    }

    /// <summary>The server has told all its processes of the change before it takes another connection.</summary>
    private void Settle()
    {
        using PostgresSession session = Connect(CheckpointPatience);
        session.Do("checkpoint");
        session.Do("checkpoint");
    }

    private static void Wait(long started, TimeSpan patience, Func<string> problem)
    {
        if (Stopwatch.GetElapsedTime(started) > patience)
        {
            throw new IOException($"{problem()} within {patience.TotalSeconds:0} s.");
        }

        Thread.Sleep(Look);
    }

    private static string Draw(int bytes)
    {
        byte[] drawn = new byte[bytes];
        using FileStream random = File.OpenRead("/dev/urandom"); // The runtime's generator is OpenSSL's, which not every guest has.
        random.ReadExactly(drawn);
        return Convert.ToHexStringLower(drawn);
    }

    private sealed class Coupling(PostgresService service, PostgresSession session) : ICoupling
    {
        public long Hold() => service.Hold(session);

        public (long Written, long Copied) Progress() =>
            session.Row($"select (pg_current_wal_flush_lsn() {Offset}, (select max(flush_lsn {Offset} from pg_stat_replication where usename = '{Role}' and sync_state = 'sync')") is [long written, var copied]
                ? (written, copied as long? ?? 0)
                : throw new IOException($"{session.Service} does not say how far it is.");

        public void Dispose() => session.Dispose();
    }

    private sealed class Promotion : IPromotion
    {
        private readonly PostgresService _service;
        private readonly PostgresSession _session;
        private readonly IReadOnlyList<int> _processes;

        public Promotion(PostgresService service, PostgresSession session)
        {
            (_service, _session) = (service, session);
            session.Row($"select (pg_last_wal_receive_lsn() {Offset}, (pg_last_wal_replay_lsn() {Offset}"); // Its first time is slow.
            // They have ended when it is promoted, or with the session.
            _processes = session.Row("select string_agg(pid::text, ',') from pg_stat_activity where backend_type in ('startup', 'walreceiver') or pid = pg_backend_pid()") is [string processes]
                ? [.. processes.Split(',').Select(process => int.Parse(process, CultureInfo.InvariantCulture))]
                : [];
        }

        public string Name => _service.Name;

        public void CatchUp(long offset) => _service.CatchUp(_session, offset);

        public void Promote(bool mayHold)
        {
            if (!mayHold)
            {
                Reset(_session, "synchronous_standby_names");
            }

            using ProcessUrgency urgency = new(_processes);
            _session.Row("select case when pg_is_in_recovery() then pg_promote(false) end");
            long started = Stopwatch.GetTimestamp();
            while (_session.Row("select pg_is_in_recovery()") is not [false])
            {
                Wait(started, PromotionPatience, () => $"{Name} was not promoted");
            }
        }

        public void Dispose() => _session.Dispose();
    }
}
