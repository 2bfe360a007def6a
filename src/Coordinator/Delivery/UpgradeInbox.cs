using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
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
/// one transaction, so that a message redelivered after any failure is either not yet or already done, never half. Words
/// that come together share a transaction, in their order.
/// </summary>
public sealed partial class UpgradeInbox
{
    /// <summary>Words in one transaction.</summary>
    public const int MostTogether = 64;

    private readonly FleetTransaction _transactions;
    private readonly UpgradeOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<UpgradeInbox> _logger;
    private readonly GroupCommit<Said, Taken> _group;

    public UpgradeInbox(FleetTransaction transactions, IOptions<UpgradeOptions> options, TimeProvider time, ILogger<UpgradeInbox> logger)
    {
        (_transactions, _options, _time, _logger) = (transactions, options.Value, time, logger);
        _group = new GroupCommit<Said, Taken>(MostTogether, TakeAllAsync);
    }

    private sealed record Said(Guid? MessageId, Guid UpgradeId, UpgradeEvent.FromHost Word);

    private sealed record Taken(InboxOutcome Outcome, IgnoredEvent? Ignored = null, UpgradeState? Next = null);

    /// <param name="messageId">The broker's id of the message; null for words that are not kept (progress).</param>
    /// <param name="upgradeId">The upgrade it is about.</param>
    /// <param name="word">What the host says.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<InboxOutcome> TakeAsync(
        Guid? messageId, Guid upgradeId, UpgradeEvent.FromHost word, CancellationToken cancellation)
    {
        (InboxOutcome outcome, IgnoredEvent? ignored, UpgradeState? next) = await _group.AddAsync(new Said(messageId, upgradeId, word), cancellation);

        string name = word.GetType().Name;
        switch (outcome)
        {
            case InboxOutcome.Handled when word is UpgradeEvent.Progressed progressed:
                Log.Progressed(_logger, upgradeId, word.Step, progressed.Message);
                break;
            case InboxOutcome.Handled when word is UpgradeEvent.Failed failed:
                Log.StepFailed(_logger, upgradeId, word.Step, failed.Failure, failed.Reason, next!.Value);
                break;
            case InboxOutcome.Handled:
                Log.Handled(_logger, upgradeId, word.Step, name, next!.Value);
                break;
            case InboxOutcome.Ignored:
                Log.Ignored(_logger, upgradeId, word.Step, name, word.Host, ignored!.Value);
                break;
            case InboxOutcome.UnknownUpgrade:
                Log.Unknown(_logger, upgradeId, word.Step, name, word.Host);
                break;
            default:
                Log.Duplicate(_logger, upgradeId, word.Step, name);
                break;
        }

        return outcome;
    }

    private Task<IReadOnlyList<Taken>> TakeAllAsync(IReadOnlyList<Said> all, CancellationToken cancellation) =>
        _transactions.RunAsync((db, stop) => TakeAllAsync(db, all, stop), cancellation);

    private async Task<IReadOnlyList<Taken>> TakeAllAsync(FleetDbContext db, IReadOnlyList<Said> all, CancellationToken cancellation)
    {
        Guid[] messages = [.. all.Select(said => said.MessageId).OfType<Guid>()];
        HashSet<Guid> taken = [.. await db.Inbox.Where(message => messages.Contains(message.MessageId)).Select(message => message.MessageId).ToListAsync(cancellation)];
        // A message may also be in the group twice: the broker gave it again after it had lost sight of a consumer.
        bool[] isFresh = [.. all.Select(said => said.MessageId is not { } id || taken.Add(id))];
        List<Said> fresh = [.. all.Where((_, at) => isFresh[at])];

        // A word about another step than the current one is ignored: no other's rows are needed.
        Guid[] ids = [.. fresh.Select(said => said.UpgradeId).Distinct()];
        UpgradeStep[] steps = [.. fresh.Select(said => said.Word.Step).Distinct()];
        Dictionary<Guid, UpgradeRecord> upgrades = await db.Upgrades
            .Include(row => row.Steps.Where(step => steps.Contains(step.Step))).ThenInclude(step => step.Timings)
            .Where(row => ids.Contains(row.Id)).ToDictionaryAsync(row => row.Id, cancellation);
        Dictionary<GuestId, GuestRecord> guests = await GuestRecord.LockAsync(
            db, fresh.Where(said => Report(said.Word) is not null && upgrades.GetValueOrDefault(said.UpgradeId)?.HostName == said.Word.Host)
                .Select(said => GuestOf(upgrades[said.UpgradeId])), cancellation);

        DateTimeOffset now = _time.GetUtcNow();
        Taken[] results =
        [
            .. all.Select((said, at) => !isFresh[at] ? new Taken(InboxOutcome.Duplicate)
                : upgrades.TryGetValue(said.UpgradeId, out UpgradeRecord? upgrade) ? Take(db, said, upgrade, guests.GetValueOrDefault(GuestOf(upgrade)), now)
                : new Taken(InboxOutcome.UnknownUpgrade)),
        ];
        string[] proven = [.. all.Where((_, at) => results[at].Next == UpgradeState.Completed).Select(said => upgrades[said.UpgradeId].ImageDigest).Distinct()];
        if (proven.Length > 0)
        {
            // Only the first of them writes, so that those that end together do not wait for each other.
            await db.Images.Where(image => proven.Contains(image.Digest) && image.ProvenAt == null)
                .ExecuteUpdateAsync(image => image.SetProperty(row => row.ProvenAt, now), cancellation);
        }

        return results;
    }

    private Taken Take(FleetDbContext db, Said said, UpgradeRecord upgrade, GuestRecord? guest, DateTimeOffset now)
    {
        UpgradeEvent.FromHost word = said.Word;
        if (Report(word)?.Guest is { } seen && word.Host == upgrade.HostName)
        {
            guest?.Observe(seen);
        }

        int attempt = upgrade.Attempt;
        UpgradeDecision decision = UpgradeJournal.Apply(db, upgrade, word, _options, now);
        if (said.MessageId is { } id && Word(word) is { } kind)
        {
            db.Inbox.Add(new InboxMessage
            {
                MessageId = id,
                UpgradeId = said.UpgradeId,
                Epoch = word.Epoch,
                Step = word.Step,
                Attempt = attempt,
                Word = kind,
                ReceivedAt = now,
                Ignored = decision.Ignored,
            });
        }

        if (decision is { Ignored: null, Next.State: UpgradeState.Completed } && guest is not null)
        {
            // Its host says the same with its next heartbeat; a rollout that is undone at once must not miss it.
            guest.ImageDigest = upgrade.ImageDigest;
        }

        return decision.Ignored is { } reason ? new Taken(InboxOutcome.Ignored, reason) : new Taken(InboxOutcome.Handled, null, decision.Next.State);
    }

    private static GuestId GuestOf(UpgradeRecord upgrade) => new(upgrade.HostName, upgrade.GuestName);

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
            ILogger logger, Guid upgrade, UpgradeStep step, string word, UpgradeState state);

        [LoggerMessage(3002, LogLevel.Warning, "Upgrade {Upgrade}: {Step} failed ({Failure}: {Reason}); now {State}")]
        public static partial void StepFailed(
            ILogger logger, Guid upgrade, UpgradeStep step,
            UpgradeFailure failure, string reason, UpgradeState state);

        [LoggerMessage(3003, LogLevel.Information, "Upgrade {Upgrade}: {Step} {Word} from {Host} ignored: {Ignored}")]
        public static partial void Ignored(
            ILogger logger, Guid upgrade, UpgradeStep step, string word, string host, IgnoredEvent ignored);

        [LoggerMessage(3004, LogLevel.Warning, "Upgrade {Upgrade} is not known; {Step} {Word} from {Host} ignored")]
        public static partial void Unknown(
            ILogger logger, Guid upgrade, UpgradeStep step, string word, string host);

        [LoggerMessage(3005, LogLevel.Information, "Upgrade {Upgrade}: {Step} {Word} was taken in before")]
        public static partial void Duplicate(
            ILogger logger, Guid upgrade, UpgradeStep step, string word);

        [LoggerMessage(3006, LogLevel.Debug, "Upgrade {Upgrade}: {Step}: {Message}")]
        public static partial void Progressed(
            ILogger logger, Guid upgrade, UpgradeStep step, string message);
    }
}
