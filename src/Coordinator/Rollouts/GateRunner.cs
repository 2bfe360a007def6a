using NodaTime;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Gates;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// Asks gates, in every coordinator: one that is due is taken for the time that a question may take, asked outside of any
/// transaction, and its answer is written down together with what follows. A coordinator that dies meanwhile leaves it to another.
/// </summary>
public sealed partial class GateRunner(
    FleetTransaction transactions, GateQuestion question, IEnumerable<IGateSource> sources, ChangeSignals signals, IOptions<RolloutOptions> rollouts,
    TimeProvider time, ILogger<GateRunner> logger) : BackgroundService
{
    /// <summary>Questions of one coordinator at the same time.</summary>
    private const int AtOnce = 32;

    private readonly SemaphoreSlim _places = new(AtOnce);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(rollouts.Value.Interval, time);
        List<Task> asked = [];
        bool quiet = false;
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask().ContinueWith(
            tick => tick.IsCompletedSuccessfully && tick.Result, TaskScheduler.Default))
        {
            try
            {
                // A slow gate does not hold up another: its answer is waited for by nobody here.
                foreach (IGateSource source in sources)
                {
                    while (_places.CurrentCount > 0 && await transactions.RunAsync(source.ClaimAsync, stoppingToken) is { } claim)
                    {
                        await _places.WaitAsync(stoppingToken);
                        asked.Add(AskAsync(source, claim, stoppingToken));
                    }
                }

                asked.RemoveAll(one => one.IsCompleted);
                quiet = false;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
#pragma warning disable CA1031 // The gates are still in the table and the runner must live.
            catch (Exception e)
#pragma warning restore CA1031
            {
                if (!quiet)
                {
                    Log.Stopped(logger, e.GetBaseException().Message, e);
                }

                quiet = true;
            }
        }

        await Task.WhenAll(asked);
    }

    public override void Dispose()
    {
        base.Dispose();
        _places.Dispose();
    }

    private async Task AskAsync(IGateSource source, GateClaim claim, CancellationToken cancellation)
    {
        try
        {
            (GateOutcome outcome, string detail) = await question.AskAsync(claim.Gate, claim.Guests, cancellation);
            GateVerdict? verdict = await transactions.RunAsync(
                (db, stop) => source.RecordAsync(db, claim, new GateAnswer(Instant.FromDateTimeOffset(time.GetUtcNow()), outcome, detail), stop), cancellation);
            Log.Answered(logger, claim.Gate.Name, claim.Where, outcome, detail, verdict?.State);
            signals.RolloutsHaveWork();
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Its row says until when it was taken; another coordinator asks then.
        }
#pragma warning disable CA1031 // As above: the question is asked again when its time is over.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Log.Stopped(logger, e.GetBaseException().Message, e);
        }
        finally
        {
            _places.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1401, LogLevel.Information, "Gate {Gate} {Where} answered {Outcome} ({Detail}); now {State}")]
        public static partial void Answered(ILogger logger, string gate, string where, GateOutcome outcome, string detail, GateState? state);

        [LoggerMessage(1402, LogLevel.Error, "Gates cannot be asked ({Reason}); again every interval")]
        public static partial void Stopped(ILogger logger, string reason, Exception exception);
    }
}
