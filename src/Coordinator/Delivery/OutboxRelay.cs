using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>
/// Brings commands from the outbox to the hosts' queues. Of each upgrade only the oldest waiting command is taken, and a
/// row that another coordinator holds is passed over, so that the order per upgrade is kept whoever sends. A command is
/// marked after the broker has confirmed it; a coordinator that dies in between leaves it to be sent again under the same
/// message id.
/// </summary>
public sealed partial class OutboxRelay(
    FleetTransaction transactions, IBus bus, ChangeSignals signals, IOptions<DeliveryOptions> options,
    TimeProvider time, ILogger<OutboxRelay> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        bool quiet = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                Batch batch;
                do
                {
                    batch = await transactions.RunAsync(RelayAsync, stoppingToken);
                }
                while (batch is { Taken: > 0, Failed: 0 });

                if (batch.Failed > 0)
                {
                    // The rows are unlocked again; another coordinator may fare better meanwhile.
                    await Task.Delay(options.Value.OutboxInterval, time, stoppingToken);
                }
                else
                {
                    quiet = false;
                    await signals.WaitForOutboxAsync(options.Value.OutboxInterval, stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever it was, the commands are still in the table and the relay must live.
            catch (Exception e)
#pragma warning restore CA1031
            {
                if (!quiet)
                {
                    Log.Stopped(logger, e.GetBaseException().Message, e);
                }

                quiet = true;
                await Task.Delay(options.Value.OutboxInterval, time, stoppingToken)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private readonly record struct Batch(int Taken, int Failed);

    private async Task<Batch> RelayAsync(FleetDbContext db, CancellationToken cancellation)
    {
        List<OutboxMessage> heads = await db.Outbox.FromSql(
            $"""
             select * from outbox head
             where head.sent_at is null and head.expired_at is null
               and not exists (
                 select 1 from outbox earlier
                 where earlier.upgrade_id = head.upgrade_id and earlier.id < head.id
                   and earlier.sent_at is null and earlier.expired_at is null)
             order by head.id
             limit {options.Value.BatchSize}
             for update skip locked
             """).ToListAsync(cancellation);
        bool[] done = await Task.WhenAll(heads.Select(head => SendAsync(head, cancellation)));
        return new Batch(heads.Count, done.Count(sent => !sent));
    }

    private async Task<bool> SendAsync(OutboxMessage head, CancellationToken cancellation)
    {
        TimeSpan left = head.ExpiresAt - time.GetUtcNow();
        if (left <= TimeSpan.Zero)
        {
            head.ExpiredAt = time.GetUtcNow();
            Log.Expired(logger, head.MessageId, head.UpgradeId, head.Queue);
            return true;
        }

        ExecuteStep command = JsonSerializer.Deserialize<ExecuteStep>(head.Body)!;
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(options.Value.ConfirmWithin);
        try
        {
            ISendEndpoint queue = await bus.GetSendEndpoint(new Uri($"queue:{head.Queue}"));
            await queue.Send(command, context =>
            {
                context.MessageId = head.MessageId;
                context.TimeToLive = left;
                context.Durable = true;
            }, patience.Token);
            head.SentAt = time.GetUtcNow();
            Log.Sent(logger, command.Step, command.UpgradeId, head.Queue);
            return true;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            throw;
        }
#pragma warning disable CA1031 // The transport has many ways to say no; all mean: not sent, again later.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Log.NotSent(logger, command.Step, command.UpgradeId, head.Queue, e.GetBaseException().Message);
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4101, LogLevel.Debug, "Sent {Step} of upgrade {Upgrade} to {Queue}")]
        public static partial void Sent(ILogger logger, UpgradeStep step, Guid upgrade, string queue);

        [LoggerMessage(4102, LogLevel.Warning, "{Step} of upgrade {Upgrade} was not sent to {Queue} ({Reason}); again soon")]
        public static partial void NotSent(ILogger logger, UpgradeStep step, Guid upgrade, string queue, string reason);

        [LoggerMessage(4103, LogLevel.Warning, "Command {Message} of upgrade {Upgrade} to {Queue} expired before it could be sent")]
        public static partial void Expired(ILogger logger, Guid message, Guid upgrade, string queue);

        [LoggerMessage(4104, LogLevel.Error, "The outbox cannot be read ({Reason}); again every interval")]
        public static partial void Stopped(ILogger logger, string reason, Exception exception);
    }
}
