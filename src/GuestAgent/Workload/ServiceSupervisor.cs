using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Preserved;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// Keeps the guest's services running, one thread each: one that ends is started again after a second. Their output goes to the kernel's log. They
/// outlive the agent, which finds them again by <c>/run/twinkernel/services/NAME</c> (process id and start time).
/// </summary>
public sealed partial class ServiceSupervisor(KernelFiles files, ServiceDirectory directory, PreservedMemory preserved, ILogger<ServiceSupervisor> logger)
{
    private const string Running = "/run/twinkernel/services";

    /// <summary>Services that hand over in place have been told to serve in this kernel.</summary>
    private const string ServingPath = "/run/twinkernel/serving";
    private const int Terminate = 15;
    private const int ServeSignal = 10;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Look = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, ServiceDefinition> _kept = new();

    /// <summary>Held from the look for a process to its note, so that none is started twice, and each that stands by is told to serve.</summary>
    private readonly Lock _starting = new();
    private volatile bool _stopping;

    /// <summary>They were started in this kernel, by this agent or one before.</summary>
    public bool HasStarted => files.Exists(Running);

    /// <summary>Here services that hand over in place stand by; false: they serve.</summary>
    public bool StandsBy { get; private set; }

    /// <summary>
    /// Starts those that do not run. One that asks for preserved memory that there is not is left out: it is new with this image, and started when
    /// the machine is this kernel's. Idempotent.
    /// </summary>
    /// <param name="standBy">Another kernel serves.</param>
    public void StartAll(bool standBy)
    {
        _stopping = false;
        StandsBy = standBy && !files.Exists(ServingPath);
        foreach (ServiceDefinition service in directory.Read().Where(service => service.OwnMemory is not { } wanted || preserved.Has(service.Name, wanted.Bytes)))
        {
            if (_kept.TryAdd(service.Name, service))
            {
                new Thread(() => Keep(service)) { IsBackground = true, Name = $"service {service.Name}" }.Start();
            }
        }
    }

    /// <summary>Has it been started here, to run from then on?</summary>
    public bool Keeps(ServiceDefinition service) => _kept.ContainsKey(service.Name);

    /// <summary>Services that hand over in place and stand by shall serve. Idempotent.</summary>
    public void Serve()
    {
        lock (_starting)
        {
            if (!StandsBy)
            {
                return;
            }

            StandsBy = false;
            foreach (ServiceDefinition service in _kept.Values.Where(service => service.IsInPlace))
            {
                Find(service.Name)?.Signal(ServeSignal);
            }

            File.WriteAllText(files.At(ServingPath), "");
        }
    }

    /// <summary>Kills a service, which may stand still, and starts it anew at once.</summary>
    /// <exception cref="IOException">It does not end, or cannot be started.</exception>
    public void Renew(ServiceDefinition service)
    {
        lock (_starting)
        {
            if (Find(service.Name) is { } process)
            {
                process.KillGroup();
                if (process.WaitForExit(StopPatience) is null)
                {
                    throw new IOException($"{service.Name} does not end.");
                }
            }

            Launch(service);
        }
    }

    /// <summary>Ends all, since this kernel is about to end. <see cref="StartAll"/> starts them again.</summary>
    public void StopAll()
    {
        _stopping = true;
        foreach (ServiceDefinition service in _kept.Values)
        {
            if (Find(service.Name) is not { } process)
            {
                continue;
            }

            if (service.Stop.Count > 0)
            {
                ChildProcess.Run(service.Stop, [], StopPatience);
            }
            else
            {
                process.Signal(Terminate);
            }

            if (process.WaitForExit(StopPatience) is null)
            {
                process.KillGroup();
            }
        }

        _kept.Clear();
    }

    private void Keep(ServiceDefinition service)
    {
        while (!_stopping && _kept.ContainsKey(service.Name))
        {
            try
            {
                ProcessHandle? found;
                ProcessHandle process;
                lock (_starting)
                {
                    found = Find(service.Name);
                    process = found ?? Launch(service);
                }

                Log.Runs(logger, service.Name, process.Pid, found is null ? "started" : "found");
                int? code;
                while ((code = process.WaitForExit(Look)) is null)
                {
                    // It runs.
                }

                Log.Ended(logger, service.Name, code.Value);
            }
            catch (IOException error)
            {
                Log.NotStarted(logger, service.Name, error.Message);
            }

            Thread.Sleep(Pause);
        }
    }

    private ProcessHandle Launch(ServiceDefinition service)
    {
        Dictionary<string, string> environment = [];
        if (service.OwnMemory is not null)
        {
            environment["TWINKERNEL_PRESERVED"] = PreservedPiece.PathOf(service.Name);
        }

        if (service.IsInPlace && StandsBy)
        {
            environment["TWINKERNEL_STANDBY"] = "1";
        }

        if (service.Handover == ServiceDefinition.ReplicatedPostgresql && files.TryRead(PostgresService.PrimaryPath(service.Name)) is { } primary)
        {
            environment["TWINKERNEL_PRIMARY"] = primary;
        }

        ProcessHandle process = ChildProcess.Detach(service.Start, environment, "/dev/kmsg", service.IsInPlace ? ServeSignal : 0);
        Directory.CreateDirectory(files.At(Running));
        File.WriteAllText(files.At($"{Running}/{service.Name}"), string.Create(CultureInfo.InvariantCulture, $"{process.Pid} {process.Started}"));
        return process;
    }

    /// <summary>The process of a service; null: it does not run.</summary>
    internal ProcessHandle? Find(string name) =>
        files.TryRead($"{Running}/{name}")?.Split(' ') is [var pid, var started]
            && int.TryParse(pid, CultureInfo.InvariantCulture, out int number) && ProcessHandle.Open(number) is { } process && process.Started == started
                ? process
                : null;

    private static partial class Log
    {
        [LoggerMessage(500, LogLevel.Information, "service {Name}: {What}, process {Pid}")]
        public static partial void Runs(ILogger logger, string name, int pid, string what);

        [LoggerMessage(501, LogLevel.Error, "service {Name}: ended with {Code}; starting it again")]
        public static partial void Ended(ILogger logger, string name, int code);

        [LoggerMessage(502, LogLevel.Error, "service {Name}: {Message}")]
        public static partial void NotStarted(ILogger logger, string name, string message);
    }
}
