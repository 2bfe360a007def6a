using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>What became of a message.</summary>
public enum InboxOutcome
{
    /// <summary>The upgrade changed.</summary>
    Handled = 1,

    /// <summary>The machine had no use for it.</summary>
    Ignored = 2,

    /// <summary>The message was taken in before.</summary>
    Duplicate = 3,

    /// <summary>No such upgrade.</summary>
    UnknownUpgrade = 4,
}

/// <summary>
/// Takes in what hosts say about steps: the inbox row, the upgrade's new state, its journal and the next command are
/// one transaction, so that a message redelivered after any failure is either not yet or already done, never half.
/// </summary>
public sealed partial class UpgradeInbox(
    FleetTransaction transactions, IOptions<UpgradeOptions> options, TimeProvider time, ILogger<UpgradeInbox> logger)
{
    /// <param name="messageId">The broker's id of the message; null for words that are not kept (progress).</param>
    /// <param name="upgradeId">The upgrade it is about.</param>
    /// <param name="word">What the host says.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<InboxOutcome> TakeAsync(
        Guid? messageId, Guid upgradeId, UpgradeEvent.FromHost word, CancellationToken cancellation)
    {
        (InboxOutcome outcome, IgnoredEvent? ignored, UpgradeSituation? next) = await transactions.RunAsync(
            (db, stop) => TakeAsync(db, messageId, upgradeId, word, stop), cancellation);

        string name = word.GetType().Name;
        switch (outcome)
        {
            case InboxOutcome.Handled when word is UpgradeEvent.Progressed progressed:
                Log.Progressed(logger, upgradeId, word.Step, progressed.Message);
                break;
            case InboxOutcome.Handled when word is UpgradeEvent.Failed failed:
                Log.StepFailed(logger, upgradeId, word.Step, failed.Failure, failed.Reason, next!.State);
                break;
            case InboxOutcome.Handled:
                Log.Handled(logger, upgradeId, word.Step, name, next!.State);
                break;
            case InboxOutcome.Ignored:
                Log.Ignored(logger, upgradeId, word.Step, name, word.Host, ignored!.Value);
                break;
            case InboxOutcome.UnknownUpgrade:
                Log.Unknown(logger, upgradeId, word.Step, name, word.Host);
                break;
            default:
                Log.Duplicate(logger, upgradeId, word.Step, name);
                break;
        }

        return outcome;
    }

    private async Task<(InboxOutcome, IgnoredEvent?, UpgradeSituation?)> TakeAsync(
        FleetDbContext db, Guid? messageId, Guid upgradeId, UpgradeEvent.FromHost word, CancellationToken cancellation)
    {
        if (messageId is { } id && await db.Inbox.AnyAsync(message => message.MessageId == id, cancellation))
        {
            return (InboxOutcome.Duplicate, null, null);
        }

        UpgradeRecord? upgrade = await db.Upgrades
            .Include(row => row.Steps).ThenInclude(step => step.Timings)
            .SingleOrDefaultAsync(row => row.Id == upgradeId, cancellation);
        if (upgrade is null)
        {
            return (InboxOutcome.UnknownUpgrade, null, null);
        }

        if (Report(word)?.Guest is { } seen && word.Host == upgrade.HostName)
        {
            GuestRecord? guest = await db.Guests
                .FromSql($"select * from guests where host_name = {upgrade.HostName} and name = {upgrade.GuestName} for update")
                .SingleOrDefaultAsync(cancellation);
            guest?.Observe(seen);
        }

        DateTimeOffset now = time.GetUtcNow();
        int attempt = upgrade.Attempt;
        UpgradeDecision decision = UpgradeJournal.Apply(db, upgrade, word, options.Value, now);
        if (messageId is { } taken && Word(word) is { } kind)
        {
            db.Inbox.Add(new InboxMessage
            {
                MessageId = taken,
                UpgradeId = upgradeId,
                Epoch = word.Epoch,
                Step = word.Step,
                Attempt = attempt,
                Word = kind,
                ReceivedAt = now,
                Ignored = decision.Ignored,
            });
        }

        if (decision is { Ignored: null, Next.State: UpgradeState.Completed })
        {
            // Its host says the same with its next heartbeat; a rollout that is undone at once must not miss it.
            await db.Guests.Where(guest => guest.HostName == upgrade.HostName && guest.Name == upgrade.GuestName)
                .ExecuteUpdateAsync(guest => guest.SetProperty(row => row.ImageDigest, upgrade.ImageDigest), cancellation);
            // Only the first of them writes, so that those that end together do not wait for each other.
            await db.Images.Where(image => image.Digest == upgrade.ImageDigest && image.ProvenAt == null)
                .ExecuteUpdateAsync(image => image.SetProperty(row => row.ProvenAt, now), cancellation);
        }

        return decision.Ignored is { } reason
            ? (InboxOutcome.Ignored, reason, null)
            : (InboxOutcome.Handled, null, decision.Next);
    }

    private static StepReport? Report(UpgradeEvent.FromHost word) => word switch
    {
        UpgradeEvent.Completed completed => completed.Report,
        UpgradeEvent.Failed failed => failed.Report,
        _ => null,
    };

    private static StepWord? Word(UpgradeEvent.FromHost word) => word switch
    {
        UpgradeEvent.Accepted => StepWord.Accepted,
        UpgradeEvent.Completed => StepWord.Completed,
        UpgradeEvent.Failed => StepWord.Failed,
        _ => null,
    };

    private static partial class Log
    {
        [LoggerMessage(3001, LogLevel.Information, "Upgrade {Upgrade}: {Step} {Word}; now {State}")]
        public static partial void Handled(
            ILogger logger, Guid upgrade, Contracts.Messages.UpgradeStep step, string word, UpgradeState state);

        [LoggerMessage(3002, LogLevel.Warning, "Upgrade {Upgrade}: {Step} failed ({Failure}: {Reason}); now {State}")]
        public static partial void StepFailed(
            ILogger logger, Guid upgrade, Contracts.Messages.UpgradeStep step,
            Contracts.Messages.UpgradeFailure failure, string reason, UpgradeState state);

        [LoggerMessage(3003, LogLevel.Information, "Upgrade {Upgrade}: {Step} {Word} from {Host} ignored: {Ignored}")]
        public static partial void Ignored(
            ILogger logger, Guid upgrade, Contracts.Messages.UpgradeStep step, string word, string host, IgnoredEvent ignored);

        [LoggerMessage(3004, LogLevel.Warning, "Upgrade {Upgrade} is not known; {Step} {Word} from {Host} ignored")]
        public static partial void Unknown(
            ILogger logger, Guid upgrade, Contracts.Messages.UpgradeStep step, string word, string host);

        [LoggerMessage(3005, LogLevel.Information, "Upgrade {Upgrade}: {Step} {Word} was taken in before")]
        public static partial void Duplicate(
            ILogger logger, Guid upgrade, Contracts.Messages.UpgradeStep step, string word);

        [LoggerMessage(3006, LogLevel.Debug, "Upgrade {Upgrade}: {Step}: {Message}")]
        public static partial void Progressed(
            ILogger logger, Guid upgrade, Contracts.Messages.UpgradeStep step, string message);
    }
}
