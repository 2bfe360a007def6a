using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>A machine could not be started; the message holds what QEMU said.</summary>
internal sealed class MachineStartException(string message) : Exception(message);

/// <summary>Starts a machine, or finds the one that an earlier agent started.</summary>
internal sealed partial class MachineStarter(string host, string qemu, ILogger logger)
{
    private const int TokenBytes = 32;
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan QmpDeadline = TimeSpan.FromSeconds(5);

    /// <summary>Starts the machine on an image that was verified. The record is on disk before QEMU is.</summary>
    /// <param name="nextDigest">The image of the start after this one: another one than this while this one is only tried.</param>
    public async Task<MachineSession> StartAsync(
        GuestOptions guest, StoredImage image, string nextDigest, Accelerator accelerator, MachineFiles files, CancellationToken cancellationToken)
    {
        MachineRecord record = new()
        {
            Guest = guest.Name,
            Uuid = Guid.NewGuid(),
            ImageDigest = nextDigest,
            ServingImageDigest = image.Digest,
            Accelerator = accelerator == Accelerator.Kvm ? "kvm" : "tcg",
        };
        foreach (string log in files.ConsoleLogs.Where(File.Exists))
        {
            File.Move(log, log + ".previous", overwrite: true);
        }

        DurableFile.WriteJson(files.Record, record);
        DurableFile.Write(files.Token, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenBytes))));
        MachinePlan plan = new()
        {
            Host = host,
            Guest = guest.Name,
            Uuid = record.Uuid,
            Cpus = guest.Cpus,
            MemoryMiB = guest.MemoryMiB,
            Accelerator = accelerator,
            KernelPath = image.KernelPath,
            InitrdPath = image.InitrdPath,
            CommandLine = image.Manifest.CommandLine,
            Forwards = guest.Forwards,
        };
        await RunAsync(QemuCommandLine.Build(plan, files), cancellationToken).ConfigureAwait(false);
        MachineSession session = await OpenAsync(record, files, guest.StandbyPort, cancellationToken).ConfigureAwait(false)
            ?? throw new MachineStartException($"QEMU for guest {guest.Name} started and ended at once; the end of its console: {ConsoleLog.Tail(files.ConsoleLogs[0], 5)}");
        Log.Started(logger, guest.Name, session.Process.Pid, image.Manifest.Name, session.Record.AgentPort, session.Record.ServicePort);
        return session;
    }

    /// <summary>The running machine of a record; null when it does not run. Nothing of the record is trusted before it was verified.</summary>
    /// <param name="standbyPort">Of the guest's options.</param>
    public async Task<MachineSession?> AdoptAsync(MachineRecord record, MachineFiles files, int standbyPort, CancellationToken cancellationToken)
    {
        MachineSession? session = await OpenAsync(record, files, standbyPort, cancellationToken).ConfigureAwait(false);
        if (session is not null)
        {
            Log.Adopted(logger, record.Guest, session.Process.Pid, session.Record.AgentPort, session.Record.ServicePort);
        }

        return session;
    }

    /// <summary>Plugs the standby card into a machine, with an address of the guest's own that stays.</summary>
    public Task<StandbyCard> PlugAsync(MachineSession session, int servicePort, CancellationToken cancellationToken) =>
        StandbySlot.PlugAsync(session.Qmp, QemuCommandLine.Mac(host, session.Record.Guest + "/standby"), servicePort, cancellationToken);

    /// <summary>What the agent knows stays out of a process that it starts.</summary>
    public static void KeepSecretsOut(ProcessStartInfo start)
    {
        string? path = Environment.GetEnvironmentVariable("PATH");
        start.Environment.Clear();
        start.Environment["PATH"] = path;
        start.Environment["LC_ALL"] = "C";
    }

    private async Task<MachineSession?> OpenAsync(MachineRecord record, MachineFiles files, int standbyPort, CancellationToken cancellationToken)
    {
        if (ProcessIdentity.WithUuid(record.Uuid) is not { } process)
        {
            return null;
        }

        Qmp qmp = await Qmp.ConnectAsync(files.Qmp, QmpDeadline, cancellationToken).ConfigureAwait(false);
        try
        {
            string? uuid = (await qmp.ExecuteAsync("query-uuid", null, QmpDeadline, cancellationToken).ConfigureAwait(false))?["UUID"]?.GetValue<string>();
            if (!Guid.TryParse(uuid, out Guid answered) || answered != record.Uuid)
            {
                throw new QmpException($"The machine that answers on {files.Qmp} has UUID {uuid}, not {record.Uuid} as recorded.");
            }

            if (record.ServicePort != 0)
            {
                // The agent before may have ended in the middle of a cut-over.
                await StandbySlot.LeadToOwnAsync(qmp, record.ServicePort, standbyPort, cancellationToken).ConfigureAwait(false);
            }

            UserNetwork network = await UserNetwork.AskAsync(qmp, QmpDeadline, cancellationToken).ConfigureAwait(false);
            MachineRecord verified = record with { Process = process, AgentPort = network.AgentPort, ServicePort = network.ServicePort };
            if (verified != record)
            {
                DurableFile.WriteJson(files.Record, verified);
            }

            return new MachineSession(verified, files, process, qmp, logger);
        }
        catch
        {
            await qmp.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        ProcessStartInfo start = new(qemu, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
        KeepSecretsOut(start);
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(StartDeadline);
        try
        {
            using Process process = Process.Start(start) ?? throw new MachineStartException($"{qemu} did not start.");
            try
            {
                string said = await process.StandardError.ReadToEndAsync(deadline.Token).ConfigureAwait(false);
                await process.WaitForExitAsync(deadline.Token).ConfigureAwait(false);
                if (process.ExitCode != 0)
                {
                    throw new MachineStartException($"{qemu} ended with {process.ExitCode}: {said.Trim()}");
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                process.Kill(entireProcessTree: true);
                throw new MachineStartException($"{qemu} did not come up within {StartDeadline}.");
            }
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new MachineStartException($"{qemu} cannot be run: {e.Message} Install qemu-system-x86 or set Host:Qemu.");
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4001, LogLevel.Information, "Guest {Guest} started: process {Pid}, image {Image}, agent on port {AgentPort}, service on port {ServicePort}")]
        public static partial void Started(ILogger logger, string guest, int pid, string image, int agentPort, int servicePort);

        [LoggerMessage(4002, LogLevel.Information, "Guest {Guest} runs already and was adopted: process {Pid}, agent on port {AgentPort}, service on port {ServicePort}")]
        public static partial void Adopted(ILogger logger, string guest, int pid, int agentPort, int servicePort);
    }
}
