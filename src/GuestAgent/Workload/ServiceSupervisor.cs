using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Machine;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// Keeps the guest's services running, one thread each: one that ends is started again after a second. Their output goes to the kernel's log. They
/// outlive the agent, which finds them again by <c>/run/twinkernel/services/NAME</c> (process id and start time).
/// </summary>
public sealed partial class ServiceSupervisor(KernelFiles files, ServiceDirectory directory, ILogger<ServiceSupervisor> logger)
{
    private const string Running = "/run/twinkernel/services";
    private const int Terminate = 15;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, ServiceDefinition> _kept = new();
    private volatile bool _stopping;

    /// <summary>They were started in this kernel, by this agent or one before.</summary>
    public bool HasStarted => files.Exists(Running);

    /// <summary>Starts those that do not run. Idempotent.</summary>
    public void StartAll()
    {
        _stopping = false;
        foreach (ServiceDefinition service in directory.Read())
        {
            if (_kept.TryAdd(service.Name, service))
            {
                new Thread(() => Keep(service)) { IsBackground = true, Name = $"service {service.Name}" }.Start();
            }
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
                ProcessHandle? found = Find(service.Name);
                ProcessHandle process = found ?? Launch(service);
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
        ProcessHandle process = ChildProcess.Detach(service.Start, [], "/dev/kmsg");
        Directory.CreateDirectory(files.At(Running));
        File.WriteAllText(files.At($"{Running}/{service.Name}"), string.Create(CultureInfo.InvariantCulture, $"{process.Pid} {process.Started}"));
        return process;
    }

    private ProcessHandle? Find(string name) =>
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
