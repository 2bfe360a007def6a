using System.Threading.Channels;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.HostAgent.Upgrades;

/// <summary>
/// Publishes journalled results until the broker has them, and lines of progress as well as it goes. A result that nobody
/// could take is tried again: a coordinator that has never run has no queue yet.
/// </summary>
internal sealed partial class ResultPublisher(UpgradeJournal journal, IStepEvents events, TimeProvider time, ILogger<ResultPublisher> logger) : BackgroundService
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private readonly Channel<JournalledStep> _results = Channel.CreateUnbounded<JournalledStep>();
    private readonly Channel<StepProgressed> _progress = Channel.CreateBounded<StepProgressed>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropOldest });

    /// <summary>Publishes the result of a step, again if it was before.</summary>
    public void Enqueue(JournalledStep finished) => _results.Writer.TryWrite(finished);

    public void Enqueue(StepProgressed line) => _progress.Writer.TryWrite(line);

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (JournalledStep left in journal.Unpublished)
        {
            Enqueue(left);
        }

        return Task.WhenAll(PublishResultsAsync(stoppingToken), PublishProgressAsync(stoppingToken));
    }

    private async Task PublishResultsAsync(CancellationToken stoppingToken)
    {
        await foreach (JournalledStep step in _results.Reader.ReadAllAsync(stoppingToken).ConfigureAwait(false))
        {
            while (!await TryPublishAsync(step, stoppingToken).ConfigureAwait(false))
            {
                await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<bool> TryPublishAsync(JournalledStep step, CancellationToken stoppingToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        limit.CancelAfter(Patience);
        try
        {
            if (step.Completed is { } completed)
            {
                await events.PublishAsync(completed, mustBeRouted: true, limit.Token).ConfigureAwait(false);
            }
            else if (step.Failed is { } failed)
            {
                await events.PublishAsync(failed, mustBeRouted: true, limit.Token).ConfigureAwait(false);
            }

            if (!step.Published)
            {
                journal.Publish(step.Command.UpgradeId, step.Command.Step);
            }

            return true;
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            Log.NotPublished(logger, step.Command.Step, step.Command.UpgradeId, e.Message);
            return false;
        }
    }

    private async Task PublishProgressAsync(CancellationToken stoppingToken)
    {
        await foreach (StepProgressed line in _progress.Reader.ReadAllAsync(stoppingToken).ConfigureAwait(false))
        {
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            limit.CancelAfter(Patience);
            try
            {
                await events.PublishAsync(line, mustBeRouted: false, limit.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                Log.ProgressLost(logger, line.Step, line.UpgradeId, e.Message);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5001, LogLevel.Warning, "The result of {Step} of upgrade {Upgrade} could not be published and will be again: {Reason}")]
        public static partial void NotPublished(ILogger logger, UpgradeStep step, Guid upgrade, string reason);

        [LoggerMessage(5002, LogLevel.Debug, "A line of progress of {Step} of upgrade {Upgrade} was lost: {Reason}")]
        public static partial void ProgressLost(ILogger logger, UpgradeStep step, Guid upgrade, string reason);
    }
}
