using System.Text.Json;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Timings;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>
/// Writes what the machine decided into the rows of one context: the upgrade, its steps and times, and the outbox.
/// The caller's transaction makes them one.
/// </summary>
internal static class UpgradeJournal
{
    /// <param name="db">The context that tracks <paramref name="upgrade"/> with its steps and times.</param>
    /// <param name="upgrade">The upgrade.</param>
    /// <param name="what">What happened to it.</param>
    /// <param name="options">Times and limits.</param>
    /// <param name="now">The coordinator's wall clock.</param>
    public static UpgradeDecision Apply(
        FleetDbContext db, UpgradeRecord upgrade, UpgradeEvent what, UpgradeOptions options, DateTimeOffset now)
    {
        UpgradeSituation before = upgrade.Situation;
        UpgradeDecision decision = UpgradeMachine.Decide(before, what, options);
        if (decision.Ignored is not null)
        {
            return decision;
        }

        foreach (UpgradeEffect effect in decision.Effects)
        {
            Write(upgrade, before, effect, now);
        }

        upgrade.State = decision.Next.State;
        upgrade.Strategy = decision.Next.Strategy;
        upgrade.Phase = decision.Next.Phase;
        upgrade.Attempt = decision.Next.Attempt;
        upgrade.ChangedAt = now;
        if (!decision.KeepsDeadline)
        {
            upgrade.DeadlineAt = now + decision.Deadline;
        }

        if (decision.Next.Ended)
        {
            upgrade.FinishedAt = now;
            upgrade.Progress = null;
            // Not under its rollout: what people did to that would not be found among thousands.
            db.Note(now, AuditEntry.Service, "upgrade-ended", $"{upgrade.HostName}/{upgrade.GuestName}", Summary(upgrade));
        }

        if (decision.Command is { } command)
        {
            StepJournal.Begin(upgrade, command, now);
            db.Outbox.Add(ToMessage(upgrade, command, now));
            upgrade.Progress = null;
        }

        return decision;
    }

    private static string Summary(UpgradeRecord upgrade) =>
        $"upgrade {upgrade.Id} of rollout {upgrade.RolloutId} to {upgrade.ImageName}: {upgrade.State}"
        + (upgrade.Failure == UpgradeFailure.None ? "" : $", {upgrade.FailedStep}: {upgrade.Failure}: {upgrade.Reason}");

    private static void Write(UpgradeRecord upgrade, UpgradeSituation before, UpgradeEffect effect, DateTimeOffset now)
    {
        switch (effect)
        {
            case UpgradeEffect.AcceptStep:
                StepJournal.Accept(Current(upgrade, before), now);
                break;
            case UpgradeEffect.NoteProgress note:
                upgrade.Progress = note.Message;
                break;
            case UpgradeEffect.FinishStep finish:
                StepJournal.Finish(Current(upgrade, before), finish, now);
                Observe(upgrade, before, finish.Report);
                break;
            case UpgradeEffect.RecordFailure failure:
                upgrade.FailedStep = failure.Step ?? upgrade.FailedStep;
                upgrade.Failure = failure.Failure;
                upgrade.Reason = failure.Step is null && upgrade.Reason is { } first
                    ? $"{first}; then {failure.Reason}"
                    : failure.Reason;
                break;
            case UpgradeEffect.NoteTakeOver takeOver:
                upgrade.TakenOver = takeOver.Reason;
                break;
            case UpgradeEffect.ClearFailure:
                upgrade.FailedStep = null;
                upgrade.Failure = UpgradeFailure.None;
                upgrade.Reason = null;
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(effect), effect, "Not an effect of an upgrade.");
        }
    }

    private static UpgradeStepRecord Current(UpgradeRecord upgrade, UpgradeSituation before) =>
        upgrade.Steps.Single(step => step.Step == before.Step && step.Attempt == before.Attempt);

    private static void Observe(UpgradeRecord upgrade, UpgradeSituation before, StepReport report)
    {
        if (report.Guest is { } guest)
        {
            if (before.State == UpgradeState.Preflight)
            {
                upgrade.KernelReleaseBefore = guest.KernelRelease;
                upgrade.BootIdBefore = guest.BootId;
            }

            upgrade.KernelReleaseAfter = guest.KernelRelease;
            upgrade.BootIdAfter = guest.BootId;
            upgrade.CpusOnlineAfter = guest.CpusOnline;
            upgrade.CpusPresentAfter = guest.CpusPresent;
            upgrade.MachineMemoryBytes = guest.MachineMemoryBytes;
            upgrade.MachineMemoryOwnedAfter = guest.MachineMemoryOwnedBytes;
        }

        upgrade.StrategyReason ??= report.StrategyReason;
        upgrade.Signature ??= report.Signature;
        if (report.Outage is { } outage)
        {
            upgrade.OutageLongestGapNs = outage.LongestGap.Ticks * TimeSpan.NanosecondsPerTick;
            upgrade.OutageSent = outage.Sent;
            upgrade.OutageAnswered = outage.Answered;
            upgrade.OutageIntervalNs = outage.Interval.Ticks * TimeSpan.NanosecondsPerTick;
            upgrade.OutageInterrupted = outage.Interrupted;
        }
    }

    private static OutboxMessage ToMessage(UpgradeRecord upgrade, StepCommand command, DateTimeOffset now)
    {
        DateTimeOffset expires = now + command.ExpiresAfter;
        return new OutboxMessage
        {
            MessageId = MessageIdentity.Of(upgrade.Id, upgrade.Epoch, command.Step, command.Attempt),
            UpgradeId = upgrade.Id,
            Queue = QueueNames.Host(upgrade.HostName),
            CreatedAt = now,
            ExpiresAt = expires,
            Body = JsonSerializer.Serialize(new ExecuteStep
            {
                UpgradeId = upgrade.Id,
                Host = upgrade.HostName,
                Guest = upgrade.GuestName,
                Epoch = upgrade.Epoch,
                Step = command.Step,
                ImageDigest = upgrade.ImageDigest,
                Strategy = upgrade.Strategy,
                RequireSignature = upgrade.RequireSignature,
                Deadline = command.Deadline,
                ExpiresAt = expires,
                OnPanic = upgrade.OnPanic,
            }),
        };
    }
}
