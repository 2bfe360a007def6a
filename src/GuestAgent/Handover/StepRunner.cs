using Grpc.Core;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Hooks;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>What a step call gives back.</summary>
/// <param name="Entry">The journal's entry.</param>
/// <param name="AlreadyDone">It was recorded by an earlier call.</param>
public readonly record struct StepOutcome(StepEntry Entry, bool AlreadyDone);

/// <summary>
/// One step at a time: refuses stale epochs and steps out of order, answers repeated steps from the journal, and records each
/// before and after. A step's body runs on a thread of its own, because sysfs writes and ioctls block: the thread pool stays
/// free for the status.
/// </summary>
public sealed partial class StepRunner(UpgradeJournal journal, StepHooks hooks, ILogger<StepRunner> logger)
{
    private readonly SemaphoreSlim _floor = new(1);
    private CancellationTokenSource? _running;

    /// <summary>Runs a step, or answers from the journal.</summary>
    /// <param name="cancellation">The caller is gone.</param>
    /// <param name="endsWithCaller">Whether the step ends then; others go on, and the caller finds the result when it asks again.</param>
    /// <param name="after">Keeps the floor until it completes, when the step has succeeded and the entry stays RUNNING: the cut-over, which goes on behind its answer.</param>
    /// <exception cref="StepFailure">The step was refused or failed; a failure is recorded first.</exception>
    public async Task<StepOutcome> RunAsync(Wire.Step step, string upgradeId, ulong epoch, Action<StepContext> body, CancellationToken cancellation,
        bool endsWithCaller = false, Func<StepContext, Task>? after = null)
    {
        Check(step, upgradeId, epoch);
        await TakeFloorAsync(step, cancellation);
        bool keepFloor = false;
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(endsWithCaller ? cancellation : CancellationToken.None);
        try
        {
            Volatile.Write(ref _running, stop);
            if (Recorded(step, upgradeId, epoch) is { } recorded)
            {
                return new StepOutcome(recorded, AlreadyDone: true);
            }

            StepContext context = new(step, upgradeId, epoch, stop.Token);
            StepEntry entry = await CarryOutAsync(context, body, last: after is null);
            if (after is not null)
            {
                keepFloor = true;
                _ = KeepFloorAsync(after(context));
            }

            return new StepOutcome(entry, AlreadyDone: false);
        }
        finally
        {
            Interlocked.CompareExchange(ref _running, null, stop);
            if (!keepFloor)
            {
                _floor.Release();
            }
        }
    }

    /// <summary>For an agent that was started again: what it was doing when it was killed has failed, and may be called again.</summary>
    public void EndInterrupted()
    {
        foreach (StepEntry entry in journal.Current?.Steps ?? [])
        {
            if (entry.State == Wire.StepState.Running)
            {
                journal.Record(entry with { State = Wire.StepState.Failed, Reason = Reasons.Internal, Message = "The agent was started again in the middle of the step: call it again, or RollBack." });
            }
        }
    }

    /// <summary>Records a step that ended behind its answer, or that was not asked for by a call.</summary>
    public void Record(StepContext context, Exception? error)
    {
        StepFailure? failure = error is null ? null : AsFailure(error);
        StepEntry entry = new()
        {
            Step = context.Step,
            State = failure is null ? Wire.StepState.Succeeded : Wire.StepState.Failed,
            Timings = context.Timings(),
            Facts = context.Facts,
            Reason = failure?.Reason,
            Message = failure?.Message,
        };
        journal.Record(entry);
        if (failure is null)
        {
            Log.StepSucceeded(logger, StepOrder.Word(context.Step), entry.Timings[0].Nanoseconds / 1e6);
        }
        else
        {
            Log.StepFailed(logger, StepOrder.Word(context.Step), failure.Reason, failure.Message);
        }
    }

    /// <summary>In kernel B, for the cut-over that kernel A began: the hooks behind it, and what came of both. Other steps wait.</summary>
    public void Finish(StepContext context)
    {
        _floor.Wait();
        try
        {
            hooks.After(context, null);
            Record(context, null);
        }
        catch (StepFailure failure)
        {
            Record(context, failure);
        }
        finally
        {
            _floor.Release();
        }
    }

    /// <summary>The refusal or failure that an exception means.</summary>
    public static StepFailure AsFailure(Exception error) => error switch
    {
        StepFailure failure => failure,
        DeviceException device => new StepFailure(StatusCode.FailedPrecondition, Reasons.Device, device.Message, device),
        OperationCanceledException cancelled => new StepFailure(StatusCode.Cancelled, Reasons.Cancelled, "The caller went away, its deadline passed, or a roll-back ended the step.", cancelled),
        IOException io => new StepFailure(StatusCode.FailedPrecondition, Reasons.Device, io.Message, io),
        _ => new StepFailure(StatusCode.Internal, Reasons.Internal, $"{error.GetType().Name}: {error.Message}", error),
    };

    private async Task<StepEntry> CarryOutAsync(StepContext context, Action<StepContext> body, bool last)
    {
        Log.StepBegins(logger, StepOrder.Word(context.Step), context.UpgradeId);
        journal.Record(new StepEntry { Step = context.Step, State = Wire.StepState.Running });
        try
        {
            await Task.Factory.StartNew(() => WithHooks(context, body, last), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (Exception error)
        {
            Record(context, error);
            StepFailure failure = AsFailure(error);
            throw new StepFailure(failure.Code, failure.Reason, failure.Message, failure) { Timings = journal.Current!.Find(context.Step)!.Timings };
        }

        if (last)
        {
            Record(context, null);
            return journal.Current!.Find(context.Step)!;
        }

        StepEntry running = new() { Step = context.Step, State = Wire.StepState.Running, Timings = context.Timings(), Facts = context.Facts };
        journal.Record(running);
        return running;
    }

    /// <summary>A step that goes on behind its answer has its hooks there.</summary>
    private void WithHooks(StepContext context, Action<StepContext> body, bool last)
    {
        hooks.Before(context);
        try
        {
            body(context);
        }
        catch (Exception error)
        {
            hooks.After(context, error);
            throw;
        }

        if (last)
        {
            hooks.After(context, null);
        }
    }

    private async Task TakeFloorAsync(Wire.Step step, CancellationToken cancellation)
    {
        if (step == Wire.Step.RollBack && Volatile.Read(ref _running) is { } running)
        {
            try
            {
                await running.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // It ended by itself.
            }
        }

        await _floor.WaitAsync(cancellation);
    }

    private async Task KeepFloorAsync(Task after)
    {
        try
        {
            await after;
        }
        finally
        {
            _floor.Release();
        }
    }

    private static void Check(Wire.Step step, string upgradeId, ulong epoch)
    {
        if (upgradeId.Length is 0 or > 128 || epoch == 0)
        {
            throw new StepFailure(StatusCode.InvalidArgument, Reasons.WrongStep,
                $"{StepOrder.Word(step)} needs an upgrade_id of 1 to 128 characters (found {upgradeId.Length}) and an epoch above 0 (found {epoch}).");
        }
    }

    /// <summary>Null: the step may be carried out now. Opens the upgrade at its first step.</summary>
    private StepEntry? Recorded(Wire.Step step, string upgradeId, ulong epoch)
    {
        UpgradeRecord? current = journal.Current;
        if (current is not null && current.UpgradeId == upgradeId)
        {
            if (epoch < current.Epoch)
            {
                throw new StepFailure(StatusCode.FailedPrecondition, Reasons.StaleEpoch,
                    $"Epoch {epoch} no longer speaks for upgrade {upgradeId}: {current.Epoch} does.");
            }

            if (epoch > current.Epoch)
            {
                journal.Seen(epoch);
            }
        }

        if (step == Wire.Step.Preflight && (current is null || (!current.Active && (current.UpgradeId != upgradeId || current.Closed))))
        {
            journal.Open(upgradeId, epoch);
            return null;
        }

        if (current is null || current.UpgradeId != upgradeId)
        {
            if (step == Wire.Step.RollBack && current is not { Active: true })
            {
                journal.Open(upgradeId, epoch);
                return null;
            }

            throw Wrong(step, current is null ? "no upgrade was begun here (call Preflight first)" : $"upgrade {current.UpgradeId} is the one known here, not {upgradeId}");
        }

        return OfThis(step, current);
    }

    private static StepEntry? OfThis(Wire.Step step, UpgradeRecord current)
    {
        StepEntry? entry = current.Find(step);
        if (step == Wire.Step.Preflight && !current.Active)
        {
            return null;
        }

        if (entry is { State: Wire.StepState.Succeeded })
        {
            return entry;
        }

        if (current.Closed)
        {
            throw entry is { State: Wire.StepState.Failed }
                ? new StepFailure(StatusCode.FailedPrecondition, entry.Reason ?? Reasons.Internal, entry.Message ?? "")
                : Wrong(step, $"upgrade {current.UpgradeId} has been {(current.Succeeded(Wire.Step.Commit) ? "committed" : "rolled back")}");
        }

        if (!StepOrder.Has(current.Strategy, step))
        {
            throw Wrong(step, $"upgrade {current.UpgradeId} goes by {current.Strategy.ToString().ToLowerInvariant()}, which has no such step");
        }

        if (StepOrder.Before(current.Strategy, step) is { } before && !current.Succeeded(before))
        {
            throw Wrong(step, $"{StepOrder.Word(before)} has not succeeded in this kernel");
        }

        return null;
    }

    private static StepFailure Wrong(Wire.Step step, string why) =>
        new(StatusCode.FailedPrecondition, Reasons.WrongStep, $"{StepOrder.Word(step)} is not possible now: {why}.");

    private static partial class Log
    {
        [LoggerMessage(100, LogLevel.Information, "{Step}: begins, upgrade {UpgradeId}")]
        public static partial void StepBegins(ILogger logger, string step, string upgradeId);

        [LoggerMessage(101, LogLevel.Information, "{Step}: done in {Milliseconds:0.0} ms")]
        public static partial void StepSucceeded(ILogger logger, string step, double milliseconds);

        [LoggerMessage(102, LogLevel.Error, "{Step}: failed, {Reason}: {Message}")]
        public static partial void StepFailed(ILogger logger, string step, string reason, string message);
    }
}
