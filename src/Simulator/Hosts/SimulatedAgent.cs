using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Simulator.Delivery;
using TwinKernel.Fleet.Simulator.Journal;
using TwinKernel.Fleet.Simulator.Reporting;
using TwinKernel.Fleet.Simulator.Scenarios;

namespace TwinKernel.Fleet.Simulator.Hosts;

/// <summary>
/// One run of a host's agent: what is here is lost when it ends. It keeps to the contract as the real one does: a command is journalled before it
/// is accepted, one that was journalled is answered from the journal, an older epoch is refused, one step of a guest runs at a time.
/// </summary>
internal sealed class SimulatedAgent : IAsyncDisposable
{
    private static readonly TimeSpan PublishAgain = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private readonly SimulatedHost _host;
    private readonly Scenario _scenario;
    private readonly Decisions _decisions;
    private readonly IFleetEvents _events;
    private readonly Tally _tally;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Lane> _lanes = [];
    private readonly SemaphoreSlim _changed = new(0, 1);
    private readonly Guid _incarnation = Guid.NewGuid();
    private readonly DateTimeOffset _startedAt;
    private long _sequence;
    private long _intervalTicks;
    private Task _beats = Task.CompletedTask;

    public SimulatedAgent(SimulatedHost host, Scenario scenario, Decisions decisions, IFleetEvents events, Tally tally, TimeProvider time)
    {
        (_host, _scenario, _decisions, _events, _tally, _time) = (host, scenario, decisions, events, tally, time);
        _startedAt = time.GetUtcNow();
        _intervalTicks = scenario.Heartbeat.Ticks;
    }

    /// <summary>Goes on with what an earlier run left. Of several unfinished steps of a guest, the newest counts.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            foreach (IGrouping<string, JournalledStep> guest in _host.Disk.Steps.Where(step => !step.Published).GroupBy(step => step.Command.Guest))
            {
                JournalledStep newest = guest.OrderBy(step => step.Command.Epoch).ThenBy(step => step.AcceptedAt).Last();
                foreach (JournalledStep left in guest)
                {
                    _tally.Count(Counted.Resumed);
                    if (!left.IsFinished && left != newest)
                    {
                        Finish(left, null, Failed(left.Command, UpgradeFailure.Internal, "The host agent was started again, and this step had been given up for a newer command."));
                    }

                    Begin(left, Task.CompletedTask);
                }
            }
        }
    }

    /// <summary>Takes a command on, or answers it at once. Returns when it is journalled and accepted.</summary>
    public async Task TakeAsync(ExecuteStep command, CancellationToken cancellationToken)
    {
        _tally.Count(Counted.Command);
        _host.Disk.Note(JournalWord.Received, command);
        TaskCompletionSource announced = new(TaskCreationOptions.RunContinuationsAsynchronously);
        StepFailed? refusal;
        JournalledStep? known;
        lock (_lock)
        {
            known = _host.Disk.Find(command.UpgradeId, command.Step);
            if (known is { Failed: not null, Published: true } && command.Step is UpgradeStep.RollBack or UpgradeStep.Commit && command.ExpiresAt > known.Command.ExpiresAt)
            {
                known = null; // The two steps without another way out are tried again.
            }

            refusal = known is null ? Refusal(command) : null;
            if (known is not null)
            {
                _tally.Count(Counted.Duplicate);
            }
            else if (refusal is null)
            {
                Begin(_host.Disk.Accept(command), announced.Task);
            }
        }

        if (refusal is not null)
        {
            _tally.Count(Counted.Refusal);
            _host.Disk.Note(JournalWord.Refused, command, refusal);
            await _events.PublishAsync(refusal, mustBeRouted: true, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (known is { IsFinished: true })
        {
            await PublishAsync(known, cancellationToken).ConfigureAwait(false);
            return;
        }

        try
        {
            await _events.PublishAsync(
                new StepAccepted { UpgradeId = command.UpgradeId, Host = command.Host, Epoch = command.Epoch, Step = command.Step },
                mustBeRouted: false, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            announced.TrySetResult();
        }
    }

    /// <summary>What an agent answers to what is no command; null: nothing.</summary>
    public object? Answer(HostMessage message)
    {
        if (message.Pace is { } pace)
        {
            Pace(pace);
            return null;
        }

        return message.Question is { } question ? Answer(question) : Answer(message.Gate!);
    }

    public GuestInspected Answer(InspectGuest question) => new()
    {
        Host = _host.Name,
        Guest = question.Guest,
        ObservedAt = _time.GetUtcNow(),
        Inspection = _host.Guests.GetValueOrDefault(question.Guest)?.Inspect(_time.GetUtcNow()),
        Problem = _host.Guests.ContainsKey(question.Guest) ? null : $"Host '{_host.Name}' has no guest '{question.Guest}'.",
    };

    /// <summary>There is no host on which a command could be run.</summary>
    public GateCommandEnded Answer(RunGateCommand question) => new()
    {
        Host = _host.Name,
        Guest = question.Guest,
        Problem = $"Host '{_host.Name}' is simulated and runs no gate commands.",
    };

    /// <summary>Sends heartbeats, at once and after every change, until the agent ends.</summary>
    /// <param name="isSilent">Whether none may be sent now.</param>
    public void Beat(Func<bool> isSilent) => _beats = BeatAsync(isSilent);

    /// <summary>Ends the agent. What runs is unfinished in the journal.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        Task[] running;
        lock (_lock)
        {
            running = [.. _lanes.Values.Select(lane => lane.Last)];
        }

        await Task.WhenAll([.. running, _beats]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Pace(PaceHeartbeats wanted)
    {
        Interlocked.Exchange(ref _intervalTicks, wanted.Applied(_scenario.Heartbeat, Interval).Ticks);
    }

    private TimeSpan Interval => TimeSpan.FromTicks(Interlocked.Read(ref _intervalTicks));

    private async Task BeatAsync(Func<bool> isSilent)
    {
        try
        {
            while (true)
            {
                if (!isSilent())
                {
                    await TryAsync(token => _events.PublishAsync(Heartbeat(), mustBeRouted: false, token)).ConfigureAwait(false);
                    _tally.Count(Counted.Heartbeat);
                }

                // The first interval is cut, each host's elsewhere: they do not all beat at once from then on.
                TimeSpan next = _sequence == 1 ? Interval * _decisions.Phase(_host.Name) : Interval;
                await _changed.WaitAsync(next, _stopping.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The agent ends.
        }
    }

    private HostHeartbeat Heartbeat() => new()
    {
        Host = _host.Name,
        Incarnation = _incarnation,
        StartedAt = _startedAt,
        Sequence = ++_sequence,
        Interval = Interval,
        AgentVersion = "simulated",
        Accelerator = "tcg",
        Labels = _host.Labels,
        Guests = [.. _host.Guests.Values.Select(guest => guest.Report(_time.GetUtcNow()))],
        Images = _scenario.Images,
    };

    private StepFailed? Refusal(ExecuteStep command) =>
        command.Host != _host.Name
            ? Failed(command, UpgradeFailure.Internal, $"The command is for host '{command.Host}', this is '{_host.Name}'.")
        : !_host.Guests.ContainsKey(command.Guest)
            ? Failed(command, UpgradeFailure.MachineGone, $"Host '{_host.Name}' has no guest '{command.Guest}'.")
        : _host.Disk.NewerThan(command) is { } newer
            ? Failed(command, UpgradeFailure.StaleEpoch, $"The command has epoch {command.Epoch}; epoch {newer} of guest '{command.Guest}' was seen already.")
        : _time.GetUtcNow() > command.ExpiresAt
            ? Failed(command, UpgradeFailure.HostAgentSilent, $"The command expired at {command.ExpiresAt:O}, before the agent had it; nothing was done.")
        : command.Step != UpgradeStep.RollBack && _host.Disk.Find(command.UpgradeId, UpgradeStep.RollBack) is not null
            ? Failed(command, UpgradeFailure.Internal, "The upgrade was rolled back; nothing may follow that.")
            : null;

    /// <summary>Puts a step in its guest's lane. A roll back, and any step of another upgrade, ends what runs there.</summary>
    private void Begin(JournalledStep step, Task announced)
    {
        if (!_lanes.TryGetValue(step.Command.Guest, out Lane? lane))
        {
            _lanes.Add(step.Command.Guest, lane = new Lane { Upgrade = step.Command.UpgradeId });
        }

        if (!step.IsFinished && (step.Command.Step == UpgradeStep.RollBack || lane.Upgrade != step.Command.UpgradeId))
        {
            lane.Superseded.Cancel();
            lane.Superseded = new CancellationTokenSource();
            lane.Upgrade = step.Command.UpgradeId;
        }

        CancellationToken superseded = lane.Superseded.Token;
        Task before = Task.WhenAll(lane.Last, announced);
        lane.Last = Task.Run(() => RunAsync(before, step, superseded));
    }

    private async Task RunAsync(Task before, JournalledStep step, CancellationToken superseded)
    {
        await before.ConfigureAwait(false);
        try
        {
            if (!step.IsFinished)
            {
                await CarryOutAsync(step, superseded).ConfigureAwait(false);
            }

            while (!await TryAsync(token => PublishAsync(step, token)).ConfigureAwait(false))
            {
                await Task.Delay(PublishAgain, _time, _stopping.Token).ConfigureAwait(false);
            }

            _host.Disk.Publish(step);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Left in the journal: the next run goes on with it.
        }
    }

    private async Task CarryOutAsync(JournalledStep step, CancellationToken superseded)
    {
        ExecuteStep command = step.Command;
        _host.Disk.Note(JournalWord.Began, step);
        StepDecision decision = _decisions.Of(_host.Name, command.Guest, command.Epoch, command.Step, step.Attempt);
        TimeSpan latency = decision.Failure == UpgradeFailure.HostAgentSilent ? Timeout.InfiniteTimeSpan : _scenario.Scaled(decision.Latency);
        bool late = latency > command.Deadline;
        TimeSpan whole = late ? command.Deadline : latency;
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(superseded, _stopping.Token);
        try
        {
            if (whole > TimeSpan.Zero)
            {
                await UntilAsync(step, whole / 2, end.Token).ConfigureAwait(false);
                await TryAsync(token => _events.PublishAsync(Progress(command), mustBeRouted: false, token)).ConfigureAwait(false);
            }

            await UntilAsync(step, whole, end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (superseded.IsCancellationRequested && !_stopping.IsCancellationRequested)
        {
            Finish(step, null, Failed(command, UpgradeFailure.Internal, "A newer command of the guest ended this step."));
            return;
        }

        if (late || decision.Failure != UpgradeFailure.None)
        {
            UpgradeFailure failure = late ? UpgradeFailure.Internal : decision.Failure;
            Finish(step, null, Failed(command, failure, late ? $"{command.Step} did not end within {command.Deadline}." : $"Simulated: {command.Step} fails with {failure}.", step));
            return;
        }

        Succeed(step);
    }

    private void Succeed(JournalledStep step)
    {
        ExecuteStep command = step.Command;
        SimulatedGuest guest = _host.Guests[command.Guest];
        ImageReport? image = _scenario.Images.FirstOrDefault(held => held.Digest == command.ImageDigest);
        if (image is null)
        {
            Finish(step, null, Failed(command, UpgradeFailure.ImageMissing, $"Host '{_host.Name}' does not hold image {command.ImageDigest}.", step));
        }
        else if (guest.Do(command, image) is { } trouble)
        {
            Finish(step, null, Failed(command, UpgradeFailure.Internal, trouble, step));
        }
        else
        {
            Finish(step, Completed(step), null);
        }
    }

    private void Finish(JournalledStep step, StepCompleted? completed, StepFailed? failed)
    {
        _host.Disk.Finish(step, completed, failed);
        _tally.Count(completed is null ? Counted.Failed : Counted.Succeeded);
        if (step.Command.Step is UpgradeStep.CutOver or UpgradeStep.Commit or UpgradeStep.RollBack)
        {
            try
            {
                _changed.Release();
            }
            catch (SemaphoreFullException)
            {
                // One is due already.
            }
        }
    }

    private Task PublishAsync(JournalledStep step, CancellationToken cancellationToken) => step.Completed is { } completed
        ? _events.PublishAsync(completed, mustBeRouted: true, cancellationToken)
        : _events.PublishAsync(step.Failed!, mustBeRouted: true, cancellationToken);

    /// <summary>Waits until a time after the acceptance, which may have been in an earlier run. Infinite: until it is cancelled.</summary>
    private Task UntilAsync(JournalledStep step, TimeSpan afterAcceptance, CancellationToken cancellationToken)
    {
        TimeSpan left = afterAcceptance < TimeSpan.Zero ? Timeout.InfiniteTimeSpan : afterAcceptance - _time.GetElapsedTime(step.AcceptedAt);
        return left > TimeSpan.Zero || left == Timeout.InfiniteTimeSpan
            ? Task.Delay(left, _time, cancellationToken)
            : cancellationToken.IsCancellationRequested ? Task.FromCanceled(cancellationToken) : Task.CompletedTask;
    }

    /// <summary>False: it was not published, the broker is away.</summary>
    /// <exception cref="OperationCanceledException">The agent ends.</exception>
    private async Task<bool> TryAsync(Func<CancellationToken, Task> publish)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        limit.CancelAfter(Patience);
        try
        {
            await publish(limit.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception) when (!_stopping.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception)
        {
            throw new OperationCanceledException(_stopping.Token);
        }
    }

    private static StepProgressed Progress(ExecuteStep command) => new()
    {
        UpgradeId = command.UpgradeId,
        Host = command.Host,
        Epoch = command.Epoch,
        Step = command.Step,
        Message = $"{command.Step}, half of the time",
    };

    private StepCompleted Completed(JournalledStep step)
    {
        ExecuteStep command = step.Command;
        bool chosen = command is { Step: UpgradeStep.Preflight, Strategy: UpgradeStrategy.Auto };
        return new StepCompleted
        {
            UpgradeId = command.UpgradeId,
            Host = command.Host,
            Epoch = command.Epoch,
            Step = command.Step,
            Timings = Timings(step),
            Guest = _host.Guests[command.Guest].Observe(_time.GetUtcNow()),
            Outage = command.Step is < UpgradeStep.CutOver or UpgradeStep.RollBack ? null : Outage(command),
            Strategy = command.Step != UpgradeStep.Preflight ? null : chosen ? UpgradeStrategy.Twin : command.Strategy,
            Signature = command.Step == UpgradeStep.Load ? "valid" : null,
        };
    }

    private StepFailed Failed(ExecuteStep command, UpgradeFailure failure, string reason, JournalledStep? step = null) => new()
    {
        UpgradeId = command.UpgradeId,
        Host = command.Host,
        Epoch = command.Epoch,
        Step = command.Step,
        Failure = failure,
        Reason = reason,
        Timings = step is null ? [] : Timings(step),
        Guest = failure is UpgradeFailure.MachineGone or UpgradeFailure.GuestAgentUnreachable ? null : _host.Guests.GetValueOrDefault(command.Guest)?.Observe(_time.GetUtcNow()),
    };

    private IReadOnlyList<StepTiming> Timings(JournalledStep step) =>
    [
        new StepTiming
        {
            Name = $"{step.Command.Step}".ToLowerInvariant(),
            Clock = $"host:{_host.Name}",
            Nanoseconds = (long)_time.GetElapsedTime(step.AcceptedAt).TotalNanoseconds,
        },
    ];

    private ObservedOutage Outage(ExecuteStep command)
    {
        TimeSpan gap = _decisions.Outage(_host.Name, command.Guest, command.Epoch);
        long lost = (long)gap.TotalMilliseconds;
        return new ObservedOutage { LongestGap = gap, Sent = lost + 1000, Answered = 1000, Interval = TimeSpan.FromMilliseconds(1), Interrupted = false };
    }

    private sealed class Lane
    {
        public Task Last { get; set; } = Task.CompletedTask;

        public Guid Upgrade { get; set; }

        public CancellationTokenSource Superseded { get; set; } = new();
    }
}
