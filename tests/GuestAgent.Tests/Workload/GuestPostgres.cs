using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Workload;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.GuestAgent.Tests.Workload;

/// <summary>
/// A real PostgreSQL, started as in a guest's image, by its own script and settings, on ports of loopback. It ends with the test process however that goes. What
/// is a guest's root directory is a directory of its own here.
/// </summary>
internal sealed class GuestPostgres : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly string _root = Directory.CreateTempSubdirectory("tk-pg-").FullName;
    private Process? _process;

    public GuestPostgres(string probation = ServiceDefinition.HoldWrites)
    {
        Definition = new ServiceDefinition { Name = "db", Handover = ServiceDefinition.ReplicatedPostgresql, Port = FreePort.Tcp(), Socket = "/s", Probation = probation };
        Service = new PostgresService(Definition, new KernelFiles(_root));
        File.SetUnixFileMode(_root, (UnixFileMode)0b111_101_101);
        foreach (string directory in (string[])["s", "conf", "data"])
        {
            Directory.CreateDirectory(Path.Combine(_root, directory));
        }

        foreach (string file in Directory.EnumerateFiles(Repository.Find("images", "with", "postgresql", "etc", "postgresql")))
        {
            string text = File.ReadAllText(file)
                .Replace("'/run/postgresql'", $"'{_root}/s'", StringComparison.Ordinal)
                .Replace("port = 5432", $"port = {Definition.Port}", StringComparison.Ordinal)
                .Replace("'*'", "'127.0.0.1'", StringComparison.Ordinal);
            string more = Path.GetFileName(file) switch
            {
                "pg_hba.conf" => "host replication twinkernel 127.0.0.1/32 scram-sha-256\n",
                "pg_ident.conf" => $"agent {Environment.UserName} postgres\n",
                _ => "",
            };
            File.WriteAllText(Path.Combine(_root, "conf", Path.GetFileName(file)), text + more);
        }
    }

    public ServiceDefinition Definition { get; }

    public PostgresService Service { get; }

    public string Log => File.ReadAllText(Path.Combine(_root, "log"));

    public string PasswordFile => Path.Combine(_root, "run/twinkernel/primary/db.password");

    /// <summary>Whom it shall follow has another port than it, which in a guest it has not.</summary>
    public void PointTo(GuestPostgres other)
    {
        string primary = Path.Combine(_root, "run/twinkernel/primary/db");
        File.WriteAllText(primary, File.ReadAllText(primary).Replace($"port={Definition.Port}", $"port={other.Definition.Port}", StringComparison.Ordinal));
    }

    /// <summary>Starts it, as a copy when it has been told whom to follow.</summary>
    public void Start()
    {
        // The shell ends the server when its standard input does, which is when this process ends.
        const string Script = "\"$@\" > \"$LOG\" 2>&1 & read -r _; kill -QUIT $!; wait";
        ProcessStartInfo start = new("sh", ["-c", Script, "sh", Repository.Find("images", "with", "postgresql", "usr", "sbin", "serve-postgresql"),
            "--configuration", Path.Combine(_root, "conf"), "--data", Path.Combine(_root, "data")])
        {
            RedirectStandardInput = true,
        };
        start.Environment["LOG"] = Path.Combine(_root, "log");
        string primary = Path.Combine(_root, "run/twinkernel/primary/db");
        if (File.Exists(primary))
        {
            start.Environment["TWINKERNEL_PRIMARY"] = File.ReadAllText(primary);
        }

        _process = Process.Start(start)!;
        Eventually(() => Ask("select 1"));
    }

    /// <summary>Ends it as a crash would.</summary>
    public void Kill()
    {
        _process?.StandardInput.Close();
        _process?.WaitForExit();
        _process?.Dispose();
        _process = null;
    }

    /// <summary>As the application.</summary>
    /// <returns>Of the first row the first value.</returns>
    public object? Ask(string statement)
    {
        using NpgsqlConnection connection = Connect();
        using NpgsqlCommand command = new(statement, connection);
        return command.ExecuteScalar();
    }

    /// <summary>As the agent, who is a superuser.</summary>
    /// <returns>The first row.</returns>
    public IReadOnlyList<object?> AskAsAgent(string statement)
    {
        using PostgresSession session = new(Definition.Name, $"{_root}/s", Definition.Port, Patience);
        return session.Row(statement);
    }

    /// <summary>As <see cref="Ask"/>, in a task of its own.</summary>
    public Task AskAsync(string statement) => Task.Run(() => Ask(statement));

    /// <summary>Repeats until it throws nothing.</summary>
    public static void Eventually(Action action)
    {
        long begun = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                action();
                return;
            }
            catch (Exception error) when (error is NpgsqlException or IOException or ShouldAssertException && Stopwatch.GetElapsedTime(begun) < Patience)
            {
                Thread.Sleep(20);
            }
        }
    }

    public void Dispose()
    {
        Kill();
        Directory.Delete(_root, recursive: true);
    }

    private NpgsqlConnection Connect()
    {
        NpgsqlConnection connection = new(string.Create(CultureInfo.InvariantCulture,
            $"Host=127.0.0.1;Port={Definition.Port};Username=app;Database=app;Pooling=false;SSL Mode=Disable;GSS Encryption Mode=Disable;Command Timeout=60;Cancellation Timeout=-1"));
        connection.Open();
        return connection;
    }
}
