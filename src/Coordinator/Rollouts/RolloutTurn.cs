using Microsoft.EntityFrameworkCore;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// One rollout in one transaction: writes what the machine decides, its effects and their audit. The caller holds the rollout's row.
/// </summary>
internal sealed class RolloutTurn
{
    private RolloutTurn(FleetDbContext db, RolloutRecord rollout, RolloutOrder order, List<RolloutWave> waves, UpgradeOptions options, DateTimeOffset now) =>
        (Db, Rollout, Order, Waves, Options, Now) = (db, rollout, order, waves, options, now);

    public FleetDbContext Db { get; }
    public RolloutRecord Rollout { get; }
    public RolloutOrder Order { get; }

    /// <summary>In their order.</summary>
    public IReadOnlyList<RolloutWave> Waves { get; }
    public UpgradeOptions Options { get; }
    public DateTimeOffset Now { get; }

    /// <summary>The current wave; null before the start.</summary>
    public RolloutWave? Wave => Rollout.Wave > 0 ? Waves[Rollout.Wave - 1] : null;

    public WaveRule Rule => Order.RuleOf(Wave?.Name ?? Waves[0].Name);

    public IReadOnlyList<GateSpec> Gates => [.. Rule.Gates.Where(gate => gate.Point == GatePoint.AfterWave)];

    public static async Task<RolloutTurn> OpenAsync(
        FleetDbContext db, RolloutRecord rollout, UpgradeOptions options, DateTimeOffset now, CancellationToken cancellation)
    {
        List<RolloutWave> waves = await db.RolloutWaves.Where(wave => wave.RolloutId == rollout.Id).OrderBy(wave => wave.Number).ToListAsync(cancellation);
        return new RolloutTurn(db, rollout, RolloutOrder.Of(rollout), waves, options, now);
    }

    /// <param name="what">What happened.</param>
    /// <param name="actor">Who did it.</param>
    /// <param name="act">Its name in the audit.</param>
    /// <param name="reason">Why, one sentence without a full stop; null: there is no more to say.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<RolloutDecision> ApplyAsync(RolloutEvent what, string actor, string act, string? reason, CancellationToken cancellation)
    {
        WavePassage passage = new(Rule.Settle.ToTimeSpan(), Gates.Count > 0, Rule.Promotion == Promotion.Manual);
        RolloutSituation before = Rollout.Situation;
        RolloutDecision decision = RolloutMachine.Decide(before, what, passage);
        if (decision.Ignored is not null)
        {
            return decision;
        }

        RolloutSituation next = decision.Next;
        (Rollout.State, Rollout.Wave, Rollout.PausedIn, Rollout.EndsAs) = (next.State, next.Wave, next.PausedIn, next.EndsAs);
        if (before.State != next.State || before.Wave != next.Wave)
        {
            Rollout.DeadlineAt = Now + decision.Deadline;
            // An end keeps the reason for which it came to it.
            Rollout.Reason = next.Ended ? reason ?? Rollout.Reason : reason;
        }

        Rollout.LookAt = next.Ended ? null : Now;
        Rollout.FinishedAt = next.Ended ? Now : null;
        if (what is RolloutEvent.WaveEnded)
        {
            Wave!.EndedAt = Now;
        }

        string change = before.State == next.State ? $"{next.State}" : $"{before.State} -> {next.State}";
        Db.Note(Now, actor, act, Rollout.Name!, $"{change}{(next.Wave > 0 ? $", wave {next.Wave} of {next.Waves}" : "")}{(reason is null ? "" : $": {reason}")}", Rollout.Id);
        await CarryOutAsync(decision.Effects, reason ?? act, cancellation);
        return decision;
    }

    /// <summary>What an error policy's or a gate's action means for the machine; null: nothing.</summary>
    public static RolloutEvent? EventOf(FailureAction action) => action switch
    {
        FailureAction.Pause => new RolloutEvent.Pause(),
        FailureAction.Stop => new RolloutEvent.TooManyFailed(),
        FailureAction.RollBackWave => new RolloutEvent.Undo(UndoScope.Wave),
        FailureAction.RollBackRollout => new RolloutEvent.Undo(UndoScope.Rollout),
        _ => null,
    };

    /// <summary>What a rollout's own rule wants; an image of which a rollout had to be undone is denied.</summary>
    public async Task ActAsync(FailureAction action, string why, CancellationToken cancellation)
    {
        if (EventOf(action) is { } what && (await ApplyAsync(what, AuditEntry.Service, "error-policy", why, cancellation)).Ignored is null && what is RolloutEvent.Undo)
        {
            string denied = $"rollout {Rollout.Name} of it was rolled back: {why}";
            await Db.Images.Where(image => image.Digest == Rollout.ImageDigest && image.Denied == null)
                .ExecuteUpdateAsync(image => image.SetProperty(row => row.Denied, denied), cancellation);
            Db.Note(Now, AuditEntry.Service, "deny-image", Rollout.ImageDigest, denied, Rollout.Id);
        }
    }

    /// <summary>Gives the guests that run back to kernel A wherever the commit has not begun.</summary>
    public async Task AbortRunningAsync(string reason, CancellationToken cancellation)
    {
        List<UpgradeRecord> running = await Db.Upgrades
            .Include(upgrade => upgrade.Steps).ThenInclude(step => step.Timings).AsSplitQuery()
            .Where(upgrade => upgrade.RolloutId == Rollout.Id && upgrade.FinishedAt == null)
            .OrderBy(upgrade => upgrade.Id).ToListAsync(cancellation);
        foreach (UpgradeRecord upgrade in running)
        {
            UpgradeJournal.Apply(Db, upgrade, new UpgradeEvent.Aborted(reason), Options, Now);
        }
    }

    private async Task CarryOutAsync(RolloutEffects effects, string reason, CancellationToken cancellation)
    {
        // The bulk updates below see only what is written.
        await Db.SaveChangesAsync(cancellation);
        IQueryable<RolloutMember> members = Db.RolloutMembers.Where(member => member.RolloutId == Rollout.Id);
        if (effects.HasFlag(RolloutEffects.BeginWave))
        {
            Wave!.StartedAt = Now;
            Rollout.StartedAt ??= Now;
        }

        if (effects.HasFlag(RolloutEffects.AskGates))
        {
            await AskGatesAsync(cancellation);
        }

        if (effects.HasFlag(RolloutEffects.RetryFailed))
        {
            await RetryFailedAsync(members, cancellation);
        }

        if (effects.HasFlag(RolloutEffects.AbortRunning))
        {
            await AbortRunningAsync(reason, cancellation);
        }

        if (effects.HasFlag(RolloutEffects.SkipWaiting))
        {
            await members.Where(member => member.State == MemberState.Waiting).ExecuteUpdateAsync(
                member => member.SetProperty(row => row.State, MemberState.Skipped).SetProperty(row => row.Why, reason), cancellation);
        }

        if (effects.HasFlag(RolloutEffects.UndoWave) || effects.HasFlag(RolloutEffects.UndoAll))
        {
            int? wave = effects.HasFlag(RolloutEffects.UndoAll) ? null : Rollout.Wave;
            await members.Where(member => member.State == MemberState.Succeeded && member.ImageBefore != null && (wave == null || member.Wave == wave))
                .ExecuteUpdateAsync(member => member.SetProperty(row => row.State, MemberState.UndoWaiting).SetProperty(row => row.Attempt, 0)
                    .SetProperty(row => row.NotBefore, (DateTimeOffset?)null).SetProperty(row => row.Why, reason), cancellation);
        }

        if (effects.HasFlag(RolloutEffects.Release))
        {
            await members.Where(member => member.Held).ExecuteUpdateAsync(member => member.SetProperty(row => row.Held, false), cancellation);
        }
    }

    private async Task AskGatesAsync(CancellationToken cancellation)
    {
        await Db.RolloutGates.Where(gate => gate.RolloutId == Rollout.Id && gate.Wave == Rollout.Wave).ExecuteDeleteAsync(cancellation);
        Db.RolloutGates.AddRange(Gates.Select(gate => new RolloutGate
        {
            RolloutId = Rollout.Id,
            Wave = Rollout.Wave,
            Name = gate.Name,
            State = GateState.Ask,
            BegunAt = Now,
            AskAt = Now,
        }));
        await Db.SaveChangesAsync(cancellation);
    }

    /// <summary>Of the current wave, with all their attempts again and out of the quarantine that this rollout's failure brought.</summary>
    private async Task RetryFailedAsync(IQueryable<RolloutMember> members, CancellationToken cancellation)
    {
        List<RolloutMember> failed = await members.Where(member => member.State == MemberState.Failed && member.Wave == Rollout.Wave).ToListAsync(cancellation);
        foreach (RolloutMember member in failed)
        {
            (member.State, member.Attempt, member.NotBefore, member.Why, member.EndedAt) = (MemberState.Waiting, 0, null, null, null);
            await Db.Guests.Where(guest => guest.HostName == member.HostName && guest.Name == member.GuestName)
                .ExecuteUpdateAsync(guest => guest.SetProperty(row => row.Quarantine, (string?)null), cancellation);
        }
    }
}
