using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Images;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Observation;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>
/// Takes commands on and carries them out in the background, one at a time per guest. A command is journalled before
/// anything is done for it; one that was journalled before is answered from the journal. On start, what an earlier
/// agent left unfinished goes on.
/// </summary>
internal sealed partial class UpgradeRunner : IHostedService, IDisposable
{
    /// <summary>A step whose outcome can only be observed gets this long after a restart, even past its deadline.</summary>
    private static readonly TimeSpan ResumeGrace = TimeSpan.FromSeconds(20);

    /// <summary>A step is announced before its result, unless the broker is away.</summary>
    private static readonly TimeSpan AnnouncePatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestDeadline = TimeSpan.FromDays(1);
    private readonly AgentOptions _options;
    private readonly Func<string, IGuestMachine?> _machines;
    private readonly ImageStore _images;
    private readonly UpgradeJournal _journal;
    private readonly GuestEpochs _epochs;
    private readonly ObservationLedger _observations;
    private readonly ResultPublisher _publisher;
    private readonly IStepEvents _events;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, GuestLane> _lanes = new(StringComparer.Ordinal);

    public UpgradeRunner(
        IOptions<AgentOptions> options, Func<string, IGuestMachine?> machines, ImageStore images, UpgradeJournal journal, GuestEpochs epochs,
        ObservationLedger observations, ResultPublisher publisher, IStepEvents events, TimeProvider time, ILogger<UpgradeRunner> logger)
    {
        (_options, _machines, _images, _journal, _epochs) = (options.Value, machines, images, journal, epochs);
        (_observations, _publisher, _events, _time, _logger) = (observations, publisher, events, time, logger);
    }

    /// <summary>Takes a command on, or answers it at once. Returns when it is journalled.</summary>
    public async Task AcceptAsync(ExecuteStep command, CancellationToken cancellationToken)
    {
        JournalledStep? accepted;
        TaskCompletionSource announced = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            accepted = _journal.Find(command.UpgradeId, command.Step);
            if (accepted is { IsFinished: true } && IsWantedAgain(accepted, command))
            {
                accepted = null;
            }

            if (accepted is { IsFinished: true })
            {
                Log.Again(_logger, command.Step, command.UpgradeId);
                _publisher.Enqueue(accepted);
                return;
            }

            if (accepted is null && Refusal(command) is null)
            {
                _epochs.Advance(command.Guest, command.Epoch, command.UpgradeId);
                accepted = _journal.Accept(command);
                Log.Accepted(_logger, command.Step, command.UpgradeId, command.Guest);
                Begin(accepted, resumed: false, announced.Task);
            }
        }

        if (accepted is null)
        {
            StepFailed refused = Refusal(command) ?? StepRunner.Failed(command, UpgradeFailure.Internal, "The command could not be taken on.");
            Log.Refused(_logger, command.Step, command.UpgradeId, refused.Reason);
            await _events.PublishAsync(refused, mustBeRouted: true, cancellationToken).ConfigureAwait(false);
            return;
        }

        StepAccepted answer = new() { UpgradeId = command.UpgradeId, Host = command.Host, Epoch = command.Epoch, Step = command.Step };
        try
        {
            await _events.PublishAsync(answer, mustBeRouted: false, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            announced.TrySetResult();
        }
    }

    /// <summary>
    /// The two steps without another way out are tried again after a failure: a later command for them is a new try, an
    /// earlier or equal one a redelivery that the recorded result answers.
    /// </summary>
    private static bool IsWantedAgain(JournalledStep recorded, ExecuteStep command) =>
        command.Step is UpgradeStep.RollBack or UpgradeStep.Commit
        && recorded is { Failed: not null, Published: true }
        && command.ExpiresAt > recorded.Command.ExpiresAt;

    /// <summary>Goes on with what was left unfinished. Of several steps of a guest, the newest counts.</summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (IGrouping<string, JournalledStep> guest in _journal.Unfinished.GroupBy(s => s.Command.Guest))
            {
                JournalledStep newest = guest.OrderByDescending(s => s.Command.Epoch).ThenByDescending(s => s.AcceptedAt).First();
                foreach (JournalledStep left in guest)
                {
                    if (left == newest && _machines(guest.Key) is not null)
                    {
                        Log.Resumed(_logger, left.Command.Step, left.Command.UpgradeId);
                        Begin(left, resumed: true, Task.CompletedTask);
                    }
                    else
                    {
                        Finish(left, new StepOutcome(null, StepRunner.Failed(left.Command, UpgradeFailure.Internal, "The host agent was started again, and this step had been given up for a newer command.")));
                    }
                }
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>Lets go of every step; they stay unfinished in the journal.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        Task[] running;
        lock (_lock)
        {
            running = [.. _lanes.Values.Select(l => l.Last)];
        }

        await Task.WhenAll(running).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stopping.Dispose();

    private StepFailed? Refusal(ExecuteStep command)
    {
        if (command.Host != _options.Name)
        {
            return StepRunner.Failed(command, UpgradeFailure.Internal, $"The command is for host '{command.Host}', this is '{_options.Name}'.");
        }

        if (_machines(command.Guest) is null)
        {
            return StepRunner.Failed(command, UpgradeFailure.MachineGone, $"Host '{_options.Name}' has no guest '{command.Guest}' (Host:Guests).");
        }

        if (!_epochs.Allows(command.Guest, command.Epoch, command.UpgradeId))
        {
            return StepRunner.Failed(command, UpgradeFailure.StaleEpoch, $"The command has epoch {command.Epoch}; epoch {_epochs.Newest(command.Guest)} of guest '{command.Guest}' was seen already.");
        }

        if (_time.GetUtcNow() > command.ExpiresAt)
        {
            return StepRunner.Failed(command, UpgradeFailure.HostAgentSilent, $"The command expired at {command.ExpiresAt:O}, before the agent had it; nothing was done.");
        }

        if (command.Deadline <= TimeSpan.Zero || command.Deadline > LongestDeadline)
        {
            return StepRunner.Failed(command, UpgradeFailure.Internal, $"The command's deadline is {command.Deadline}; it must be more than zero and at most {LongestDeadline}.");
        }

        // A roll back that found kernel B in A's place has undone nothing, and the commit follows.
        return command.Step != UpgradeStep.RollBack
            && _journal.Find(command.UpgradeId, UpgradeStep.RollBack) is { } rollBack && rollBack.Failed?.Failure != UpgradeFailure.TookOver
            ? StepRunner.Failed(command, UpgradeFailure.Internal, "The upgrade was rolled back; nothing may follow that.")
            : null;
    }

    /// <summary>Puts a step in its guest's lane. A roll back, and any step of another upgrade, ends what runs there.</summary>
    private void Begin(JournalledStep step, bool resumed, Task announced)
    {
        if (!_lanes.TryGetValue(step.Command.Guest, out GuestLane? lane))
        {
            _lanes.Add(step.Command.Guest, lane = new GuestLane());
        }

        if (step.Command.Step == UpgradeStep.RollBack || lane.Upgrade != step.Command.UpgradeId)
        {
            lane.Superseded.Cancel();
            lane.Superseded = new CancellationTokenSource();
        }

        lane.Upgrade = step.Command.UpgradeId;
        CancellationToken superseded = lane.Superseded.Token;
        Task before = Task.WhenAll(lane.Last, Task.WhenAny(announced, Task.Delay(AnnouncePatience)));
        lane.Last = Task.Run(() => RunAsync(before, step, resumed, superseded));
    }

    private async Task RunAsync(Task before, JournalledStep step, bool resumed, CancellationToken superseded)
    {
        await before.ConfigureAwait(false);
        try
        {
            StepContext context = Context(step, resumed);
            Finish(step, await StepRunner.RunAsync(context, () => Took(step), superseded, _stopping.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Unfinished in the journal: the next agent goes on with it.
        }
        catch (Exception e)
        {
            Log.Broken(_logger, step.Command.Step, step.Command.UpgradeId, e);
            Finish(step, new StepOutcome(null, StepRunner.Failed(step.Command, UpgradeFailure.Internal, $"{e.GetType().Name}: {e.Message}")));
        }
    }

    private StepContext Context(JournalledStep step, bool resumed)
    {
        ExecuteStep command = step.Command;
        DateTimeOffset deadline = step.AcceptedAt + command.Deadline;
        DateTimeOffset grace = _time.GetUtcNow() + ResumeGrace;
        bool observable = command.Step is UpgradeStep.Commit or UpgradeStep.RollBack;
        return new StepContext
        {
            Command = command,
            Machine = _machines(command.Guest) ?? throw new InvalidOperationException($"Guest '{command.Guest}' is not configured."),
            Images = _images,
            Journal = _journal,
            Observations = _observations,
            Options = _options,
            Timings = new StepTimings(_options.Name),
            Time = _time,
            Deadline = resumed && observable && deadline < grace ? grace : deadline,
            Progress = line => _publisher.Enqueue(new StepProgressed
            {
                UpgradeId = command.UpgradeId,
                Host = command.Host,
                Epoch = command.Epoch,
                Step = command.Step,
                Message = line,
            }),
        };
    }

    /// <summary>On the host's monotonic clock, which a restarted agent shares with the one before, but a rebooted host does not.</summary>
    private TimeSpan Took(JournalledStep step) => step.HostBootId == ProcessIdentity.CurrentHostBootId
        ? _time.GetElapsedTime(step.Monotonic)
        : _time.GetUtcNow() - step.AcceptedAt;

    private void Finish(JournalledStep step, StepOutcome outcome)
    {
        if (outcome.Completed is { } completed)
        {
            _journal.Finish(completed);
            Log.Completed(_logger, step.Command.Step, step.Command.UpgradeId);
        }
        else if (outcome.Failed is { } failed)
        {
            _journal.Finish(failed);
            Log.Failed(_logger, step.Command.Step, step.Command.UpgradeId, failed.Failure, failed.Reason);
        }

        _publisher.Enqueue(step);
    }

    private sealed class GuestLane
    {
        public Task Last { get; set; } = Task.CompletedTask;

        public Guid Upgrade { get; set; }

        public CancellationTokenSource Superseded { get; set; } = new();
    }

    private static partial class Log
    {
        [LoggerMessage(5010, LogLevel.Information, "{Step} of upgrade {Upgrade} begins on guest {Guest}")]
        public static partial void Accepted(ILogger logger, UpgradeStep step, Guid upgrade, string guest);

        [LoggerMessage(5011, LogLevel.Information, "{Step} of upgrade {Upgrade} was done before; its recorded result is published again")]
        public static partial void Again(ILogger logger, UpgradeStep step, Guid upgrade);

        [LoggerMessage(5012, LogLevel.Warning, "{Step} of upgrade {Upgrade} is refused: {Reason}")]
        public static partial void Refused(ILogger logger, UpgradeStep step, Guid upgrade, string reason);

        [LoggerMessage(5013, LogLevel.Information, "{Step} of upgrade {Upgrade} was left unfinished by an earlier agent and goes on")]
        public static partial void Resumed(ILogger logger, UpgradeStep step, Guid upgrade);

        [LoggerMessage(5014, LogLevel.Information, "{Step} of upgrade {Upgrade} succeeded")]
        public static partial void Completed(ILogger logger, UpgradeStep step, Guid upgrade);

        [LoggerMessage(5015, LogLevel.Warning, "{Step} of upgrade {Upgrade} failed, {Failure}: {Reason}")]
        public static partial void Failed(ILogger logger, UpgradeStep step, Guid upgrade, UpgradeFailure failure, string reason);

        [LoggerMessage(5016, LogLevel.Error, "{Step} of upgrade {Upgrade} broke off")]
        public static partial void Broken(ILogger logger, UpgradeStep step, Guid upgrade, Exception exception);
    }
}
