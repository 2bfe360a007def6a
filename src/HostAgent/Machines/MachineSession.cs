using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>A machine that runs, from being started or adopted until it is gone. Disposing lets go of it; it runs on.</summary>
internal sealed partial class MachineSession : IAsyncDisposable
{
    private static readonly TimeSpan CheckInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan QmpDeadline = TimeSpan.FromSeconds(3);
    private readonly CancellationTokenSource _gone = new();
    private readonly Lock _recording = new();
    private readonly MachineFiles _files;
    private readonly ILogger _logger;
    private Qmp _qmp;

    public MachineSession(MachineRecord record, MachineFiles files, ProcessIdentity process, Qmp qmp, ILogger logger)
    {
        (Record, _files, Process, _qmp, _logger) = (record, files, process, qmp, logger);
        Gone = _gone.Token;
        Token = File.ReadAllText(files.Token).Trim();
    }

    public MachineRecord Record { get; private set; }

    public ProcessIdentity Process { get; }

    /// <summary>The connection to QEMU, as long as it holds.</summary>
    public Qmp Qmp => _qmp;

    /// <summary>The guest's bearer token.</summary>
    public string Token { get; }

    /// <summary>Cancelled when the machine is gone.</summary>
    public CancellationToken Gone { get; }

    /// <summary>Why it ended, as far as QEMU said.</summary>
    public string EndReason { get; private set; } = "the process is gone";

    /// <summary>Changes what the record says of the images and syncs it.</summary>
    public void RecordImages(Func<MachineRecord, MachineRecord> change)
    {
        lock (_recording)
        {
            MachineRecord changed = change(Record);
            DurableFile.WriteJson(_files.Record, changed);
            Record = changed;
        }
    }

    /// <summary>Watches the machine until it is gone, then cancels <see cref="Gone"/>.</summary>
    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (Process.IsAlive())
        {
            using CancellationTokenSource tick = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            tick.CancelAfter(CheckInterval);
            try
            {
                QmpEvent happened = await _qmp.Events.ReadAsync(tick.Token).ConfigureAwait(false);
                Note(happened);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Nothing happened; is it alive?
            }
            catch (System.Threading.Channels.ChannelClosedException)
            {
                await ReconnectAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        while (_qmp.Events.TryRead(out QmpEvent? last))
        {
            Note(last);
        }

        await _gone.CancelAsync().ConfigureAwait(false);
    }

    // The source of Gone is left to the collector: its token is held by calls that may outlive this object.
    public ValueTask DisposeAsync() => _qmp.DisposeAsync();

    /// <summary>Ends the machine: QMP first, then signals to the verified process.</summary>
    public Task EndAsync(CancellationToken cancellationToken) => MachineEnd.EndAsync(Process, _qmp, cancellationToken);

    private void Note(QmpEvent happened)
    {
        if (happened.Name is "SHUTDOWN" or "RESET" or "GUEST_PANICKED" or "STOP")
        {
            string reason = happened.Data["reason"]?.ToString() ?? "";
            EndReason = $"QEMU said {happened.Name} {reason}".TrimEnd();
            Log.Said(_logger, Record.Guest, happened.Name, reason);
        }
    }

    /// <summary>The connection ended. Usually so has the process, a moment later; if not, connect anew.</summary>
    private async Task ReconnectAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(CheckInterval, cancellationToken).ConfigureAwait(false);
        if (!Process.IsAlive())
        {
            return;
        }

        try
        {
            Qmp anew = await Qmp.ConnectAsync(_files.Qmp, QmpDeadline, cancellationToken).ConfigureAwait(false);
            await _qmp.DisposeAsync().ConfigureAwait(false);
            _qmp = anew;
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            Log.Deaf(_logger, Record.Guest, e.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4003, LogLevel.Information, "Guest {Guest}: QEMU says {Event} {Reason}")]
        public static partial void Said(ILogger logger, string guest, string @event, string reason);

        [LoggerMessage(4004, LogLevel.Warning, "Guest {Guest} runs, but QMP does not answer: {Reason}")]
        public static partial void Deaf(ILogger logger, string guest, string reason);
    }
}
