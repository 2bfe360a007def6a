using System.Net;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Images;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>
/// Keeps one guest's machine running: adopts it when it runs, starts it when it does not, and starts it again,
/// with growing pauses, when it has ended. Ending the supervision leaves the machine as it is.
/// </summary>
internal sealed partial class GuestMachine : IGuestMachine
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongEnough = TimeSpan.FromMinutes(1);
    private readonly GuestOptions _options;
    private readonly MachineFiles _files;
    private readonly MachineStarter _starter;
    private readonly ImageStore _images;
    private readonly Func<CancellationToken, Task<ChosenAccelerator>> _accelerator;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _hurry = new(0, 1);
    private readonly Lock _changing = new();
    private volatile MachineSession? _session;
    private readonly TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public GuestMachine(
        GuestOptions options, MachineFiles files, MachineStarter starter, ImageStore images,
        Func<CancellationToken, Task<ChosenAccelerator>> accelerator, TimeProvider time, ILogger logger) =>
        (_options, _files, _starter, _images, _accelerator, _time, _logger) = (options, files, starter, images, accelerator, time, logger);

    /// <summary>Raised when the machine starts to run and when it is gone.</summary>
    public event Action? Changed;

    public string Name => _options.Name;

    public IReadOnlyDictionary<string, string> Labels => _options.Labels.AsReadOnly();

    public Task Settled => _settled.Task;

    public IReadOnlyList<string> ConsoleLogs => _files.ConsoleLogs;

    /// <summary>Why the machine does not run; empty while it does.</summary>
    public string StoppedBecause { get; private set; } = "it was not started yet";

    public MachineEndpoint? Endpoint => _session is { } s && !s.Gone.IsCancellationRequested ? EndpointOf(s) : null;

    public string ServingImageDigest => Record?.ServingImageDigest ?? "";

    public bool OnTrial => Record is { } record && record.ServingImageDigest != record.ImageDigest;

    /// <summary>Supervises until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = FirstPause;
        while (true)
        {
            long began = _time.GetTimestamp();
            try
            {
                await using MachineSession session = await BringUpAsync(cancellationToken).ConfigureAwait(false);
                Set(session, "");
                try
                {
                    await session.WatchAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                {
                    // The agent ends, the machine does not: nothing is to be reported as stopped.
                    throw;
                }

                Set(null, session.EndReason);
                Log.Ended(_logger, Name, session.EndReason);
            }
            catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                Set(null, e.Message);
                Log.NotStarted(_logger, Name, e.Message);
            }

            pause = _time.GetElapsedTime(began) > LongEnough ? FirstPause : pause;
            await _hurry.WaitAsync(pause, cancellationToken).ConfigureAwait(false);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    public async Task<MachineEndpoint> WaitRunningAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed = _changed.Task;
            if (Endpoint is { } endpoint)
            {
                return endpoint;
            }

            Hurry();
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public Task<MachineEndpoint> RestartAsync(string why, CancellationToken cancellationToken) => RestartOnAsync(null, why, cancellationToken);

    public Task<MachineEndpoint> TryAsync(string imageDigest, string why, CancellationToken cancellationToken) =>
        RestartOnAsync(imageDigest, why, cancellationToken);

    private async Task<MachineEndpoint> RestartOnAsync(string? tried, string why, CancellationToken cancellationToken)
    {
        _session?.RecordImages(r => r with { NextImageDigest = tried });
        if (_session is { } session)
        {
            Log.Restarts(_logger, Name, why);
            await session.EndAsync(cancellationToken).ConfigureAwait(false);
            using CancellationTokenSource gone = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, session.Gone);
            try
            {
                await Task.Delay(Timeout.Infinite, gone.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Seen to be gone.
            }
        }

        return await WaitRunningAsync(cancellationToken).ConfigureAwait(false);
    }

    public bool NeedsStandbyCard => _options.StandbyPort != 0;

    public Task<StandbyCard> PlugStandbyCardAsync(CancellationToken cancellationToken) =>
        _starter.PlugAsync(Running(), _options.StandbyPort, cancellationToken);

    public Task<bool> UnplugStandbyCardAsync(TimeSpan patience, CancellationToken cancellationToken) => StandbySlot.UnplugAsync(Running().Qmp, patience, cancellationToken);

    public Task LeadServiceAsync(bool toStandbyCard, CancellationToken cancellationToken)
    {
        MachineSession session = Running();
        return toStandbyCard
            ? StandbySlot.LeadToCardAsync(session.Qmp, session.Record.ServicePort, _options.StandbyPort, cancellationToken)
            : StandbySlot.LeadToOwnAsync(session.Qmp, session.Record.ServicePort, _options.StandbyPort, cancellationToken);
    }

    private MachineSession Running() => _session ?? throw new QmpException($"The machine of guest {Name} does not run.");

    public void RecordServing(string imageDigest) => _session?.RecordImages(r => r with { ServingImageDigest = imageDigest });

    public void RecordCommitted(string imageDigest) => _session?.RecordImages(r => r with { ImageDigest = imageDigest, ServingImageDigest = imageDigest });

    public void RecordRolledBack() => _session?.RecordImages(r => r with { ServingImageDigest = r.ImageDigest, NextImageDigest = null });

    /// <summary>Ends the machine. Only for the agent's own end: the supervision would start it again.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        if (ReadRecord() is { } record && ProcessIdentity.WithUuid(record.Uuid) is { } process)
        {
            await MachineEnd.EndAsync(process, null, cancellationToken).ConfigureAwait(false);
        }
    }

    private static MachineEndpoint EndpointOf(MachineSession s) => new(
        s.Record.Uuid,
        new Uri($"http://127.0.0.1:{s.Record.AgentPort}"),
        new IPEndPoint(IPAddress.Loopback, s.Record.ServicePort),
        s.Token,
        s.Gone);

    private MachineRecord? Record => _session?.Record ?? ReadRecord();

    private MachineRecord? ReadRecord() => DurableFile.ReadJson<MachineRecord>(_files.Record);

    private async Task<MachineSession> BringUpAsync(CancellationToken cancellationToken)
    {
        MachineRecord? record = ReadRecord();
        if (record is not null && await _starter.AdoptAsync(record, _files, _options.StandbyPort, cancellationToken).ConfigureAwait(false) is { } running)
        {
            return running;
        }

        string wanted = record?.NextImageDigest ?? record?.ImageDigest ?? _options.Image;
        if (record?.NextImageDigest is not null)
        {
            // Whatever becomes of it, it is tried once.
            record = record with { NextImageDigest = null };
            DurableFile.WriteJson(_files.Record, record);
        }

        StoredImage image = _images.Find(wanted);
        await ImageStore.VerifyAsync(image, cancellationToken).ConfigureAwait(false);
        ChosenAccelerator chosen = await _accelerator(cancellationToken).ConfigureAwait(false);
        return await _starter.StartAsync(_options, image, record?.ImageDigest ?? image.Digest, chosen.Accelerator, _files, cancellationToken).ConfigureAwait(false);
    }

    private void Hurry()
    {
        lock (_changing)
        {
            if (_hurry.CurrentCount == 0)
            {
                _hurry.Release();
            }
        }
    }

    private void Set(MachineSession? session, string stoppedBecause)
    {
        lock (_changing)
        {
            _session = session;
            StoppedBecause = stoppedBecause;
            _changed.TrySetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _settled.TrySetResult();
        Changed?.Invoke();
    }

    private static partial class Log
    {
        [LoggerMessage(4005, LogLevel.Warning, "Guest {Guest} has ended: {Reason}")]
        public static partial void Ended(ILogger logger, string guest, string reason);

        [LoggerMessage(4006, LogLevel.Error, "Guest {Guest} does not run: {Reason}")]
        public static partial void NotStarted(ILogger logger, string guest, string reason);

        [LoggerMessage(4007, LogLevel.Warning, "Guest {Guest} is ended and started again: {Reason}")]
        public static partial void Restarts(ILogger logger, string guest, string reason);
    }
}
