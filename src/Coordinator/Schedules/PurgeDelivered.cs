using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Quartz;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;

namespace TwinKernel.Fleet.Coordinator.Schedules;

/// <summary>
/// At night: forgets commands that were delivered and messages that were taken in long ago. Rows of upgrades that are
/// still active stay, however old.
/// </summary>
[DisallowConcurrentExecution]
public sealed partial class PurgeDelivered(
    IDbContextFactory<FleetDbContext> contexts, IOptions<DeliveryOptions> options, TimeProvider time,
    ILogger<PurgeDelivered> logger) : IJob
{
    public static readonly JobKey Key = new("purge-delivered", "delivery");

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        DateTimeOffset before = time.GetUtcNow() - options.Value.Keep;
        await using FleetDbContext db = await contexts.CreateDbContextAsync(cancellationToken);
        int commands = await db.Outbox
            .Where(message => (message.SentAt ?? message.ExpiredAt) < before)
            .Where(message => !db.Upgrades.Any(upgrade => upgrade.Id == message.UpgradeId && upgrade.FinishedAt == null))
            .ExecuteDeleteAsync(cancellationToken);
        int messages = await db.Inbox
            .Where(message => message.ReceivedAt < before)
            .Where(message => !db.Upgrades.Any(upgrade => upgrade.Id == message.UpgradeId && upgrade.FinishedAt == null))
            .ExecuteDeleteAsync(cancellationToken);
        Log.Purged(logger, commands, messages, before);
    }

    private static partial class Log
    {
        [LoggerMessage(6001, LogLevel.Information, "Purged {Commands} delivered commands and {Messages} taken messages from before {Before:u}")]
        public static partial void Purged(ILogger logger, int commands, int messages, DateTimeOffset before);
    }
}
