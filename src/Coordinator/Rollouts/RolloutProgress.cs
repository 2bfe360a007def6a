using Microsoft.EntityFrameworkCore;
using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Control;
using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Upgrades;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// What a rollout does by itself, in one turn: takes in how upgrades ended, lets the machine go as far as it can, and begins the
/// upgrades that may begin.
/// </summary>
internal sealed class RolloutProgress(RolloutTurn turn, RolloutOptions options)
{
    /// <summary>More states than a rollout can go through in one turn; what is left waits for the next one.</summary>
    private const int MostEvents = 8;

    /// <summary>More are begun in the next turn, which follows at once: the first commands leave when the turn is over.</summary>
    private const int MostBegun = 64;

    /// <summary>The same while nothing of the wave has begun: who has started a rollout sees it begin.</summary>
    private const int MostBegunFirst = 8;

    private readonly Guid _id = turn.Rollout.Id;

    /// <summary>Further guests may begin, and wait for the next turn only because this one began many.</summary>
    private bool _more;

    /// <summary>A guest has failed for good since the wave was judged last.</summary>
    private bool _failed;

    /// <summary>How many upgrades were begun.</summary>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        await TakeEndsAsync(cancellation);
        await JudgeWaveAsync(cancellation);

        int begun = 0;
        for (int events = 0; events < MostEvents && !turn.Rollout.Situation.Ended; events++)
        {
            if (!await AdvanceAsync(cancellation))
            {
                begun = await AdmitAsync(cancellation);
                await JudgeWaveAsync(cancellation);
                // What was skipped or failed without an upgrade may have ended the wave.
                if (!await AdvanceAsync(cancellation))
                {
                    break;
                }
            }
        }

        await RenewLeasesAsync(cancellation);
        if (!turn.Rollout.Situation.Ended)
        {
            turn.Rollout.LookAt = _more ? turn.Now : NextLook();
        }

        return begun;
    }

    private DateTimeOffset NextLook() => turn.Rollout.State switch
    {
        RolloutState.Running or RolloutState.WaitingForWindow or RolloutState.RollingBack or RolloutState.Gating or RolloutState.Stopping => turn.Now + options.Interval,
        _ => turn.Rollout.DeadlineAt is { } deadline && deadline < turn.Now + TimeSpan.FromMinutes(1) ? deadline : turn.Now + TimeSpan.FromMinutes(1),
    };

    private async Task TakeEndsAsync(CancellationToken cancellation)
    {
        var ends = await turn.Db.RolloutMembers
            .Where(member => member.RolloutId == _id && (member.State == MemberState.Running || member.State == MemberState.Undoing))
            .Join(turn.Db.Upgrades.Where(upgrade => upgrade.FinishedAt != null), member => member.UpgradeId, upgrade => upgrade.Id,
                (member, upgrade) => new { Member = member, upgrade.Id, upgrade.State, upgrade.Failure, upgrade.Reason, upgrade.FinishedAt })
            .OrderBy(end => end.FinishedAt).ToListAsync(cancellation);
        foreach (var end in ends)
        {
            RolloutMember member = end.Member;
            RetryPolicy retry = turn.Order.RuleOf(turn.Waves[member.Wave - 1].Name).Errors.Retry;
            MemberOutcome outcome = MemberOutcome.Of(member, turn.Rollout.State!.Value, retry,
                new UpgradeEnd(end.State, end.Failure, end.Reason ?? $"{end.Failure}", end.FinishedAt!.Value));
            if (outcome.State == MemberState.Waiting && end.Failure == UpgradeFailure.Aborted)
            {
                member.Attempt--;
            }

            (member.State, member.Why, member.NotBefore, member.EndedAt) = (outcome.State, outcome.Why, outcome.NotBefore, end.FinishedAt);
            _failed |= outcome.State == MemberState.Failed;
            if (outcome.Quarantine is { } quarantine)
            {
                await turn.Db.Guests.Where(guest => guest.HostName == member.HostName && guest.Name == member.GuestName)
                    .ExecuteUpdateAsync(guest => guest.SetProperty(row => row.Quarantine, quarantine), cancellation);
                turn.Db.Note(turn.Now, AuditEntry.Service, "quarantine", member.Guest.ToString(), quarantine, _id);
            }
        }

        if (ends.Count > 0)
        {
            Guid[] over = [.. ends.Select(end => end.Id)];
            await turn.Db.AdmissionLeases.Where(lease => over.Contains(lease.UpgradeId)).ExecuteDeleteAsync(cancellation);
        }
    }

    /// <summary>Only when a guest has failed: who resumes a rollout accepts the failures that it has.</summary>
    private async Task JudgeWaveAsync(CancellationToken cancellation)
    {
        await turn.Db.SaveChangesAsync(cancellation);
        if (!_failed || turn.Rollout.Situation is { Ended: true } or { State: RolloutState.Stopping or RolloutState.RollingBack })
        {
            return;
        }

        _failed = false;
        var ended = await turn.Db.RolloutMembers.AsNoTracking()
            .Where(member => member.RolloutId == _id && member.Wave == turn.Rollout.Wave && (member.State == MemberState.Succeeded || member.State == MemberState.Failed))
            .OrderBy(member => member.EndedAt).Select(member => new { member.HostName, member.GuestName, member.State }).ToListAsync(cancellation);
        FailureDecision decision = turn.Rule.Errors.Decide(new WaveProgress(
            turn.Wave!.Guests, [.. ended.Select(one => new GuestEnd(new GuestId(one.HostName, one.GuestName), one.State == MemberState.Succeeded))]));
        if (decision.Action == FailureAction.RollBackGuest)
        {
            await UndoFailedAsync(decision.Why, cancellation);
        }
        else
        {
            await turn.ActAsync(decision.Action, decision.Why.TrimEnd('.'), cancellation);
        }
    }

    /// <summary>Guests that failed after their commit had begun go back to the image they came from; the others never left it.</summary>
    private async Task UndoFailedAsync(string why, CancellationToken cancellation)
    {
        List<RolloutMember> committed = await turn.Db.RolloutMembers
            .Where(member => member.RolloutId == _id && member.Wave == turn.Rollout.Wave && member.State == MemberState.Failed && turn.Db.Upgrades.Any(
                upgrade => upgrade.Id == member.UpgradeId && upgrade.State == UpgradeState.CommitIncomplete))
            .ToListAsync(cancellation);
        foreach (RolloutMember member in committed)
        {
            (member.State, member.Attempt, member.Why) = (MemberState.UndoWaiting, 0, why);
        }
    }

    /// <summary>Whether the machine was told something that changed it.</summary>
    private async Task<bool> AdvanceAsync(CancellationToken cancellation)
    {
        if (turn.Rollout.Situation.Ended || await NextEventAsync(cancellation) is not { } next)
        {
            return false;
        }

        if (next.Action is { } action)
        {
            await turn.ActAsync(action, next.Reason!, cancellation);
            return true;
        }

        RolloutDecision decision = await turn.ApplyAsync(next.What!, AuditEntry.Service, next.Act, next.Reason, cancellation);
        if (next.What is RolloutEvent.WindowClosed && turn.Order.Spec.OnWindowClose == WindowClosePolicy.RollBack)
        {
            await turn.AbortRunningAsync(next.Reason!, cancellation);
        }

        return decision.Ignored is null;
    }

    private sealed record Next(RolloutEvent? What, string Act, string? Reason = null, FailureAction? Action = null);

    private async Task<Next?> NextEventAsync(CancellationToken cancellation)
    {
        bool due = turn.Rollout.DeadlineAt <= turn.Now;
        switch (turn.Rollout.State)
        {
            case RolloutState.Ready when due:
                return new Next(new RolloutEvent.DeadlinePassed(), "approval-expired", "the approval has expired");
            case RolloutState.Settling when due:
                return new Next(new RolloutEvent.DeadlinePassed(), "settled");
            case RolloutState.Running or RolloutState.WaitingForWindow:
                return await WaveIsOverAsync(cancellation) ? new Next(new RolloutEvent.WaveEnded(), "wave-ended") : await WindowsAsync(cancellation);
            case RolloutState.Gating:
                return await GatesAsync(cancellation);
            case RolloutState.RollingBack when !await AnyAsync(cancellation, MemberState.Running, MemberState.Undoing, MemberState.UndoWaiting):
                bool whole = !await AnyAsync(cancellation, MemberState.UndoFailed);
                return new Next(new RolloutEvent.UndoEnded(whole), "undo-ended");
            case RolloutState.Stopping when !await AnyAsync(cancellation, MemberState.Running, MemberState.Undoing):
                return new Next(new RolloutEvent.Idle(), "ended");
            default:
                return null;
        }
    }

    private Task<bool> AnyAsync(CancellationToken cancellation, params MemberState[] states) =>
        turn.Db.RolloutMembers.AnyAsync(member => member.RolloutId == _id && states.Contains(member.State), cancellation);

    private async Task<bool> WaveIsOverAsync(CancellationToken cancellation)
    {
        MemberState[] open = [MemberState.Waiting, MemberState.Running, MemberState.UndoWaiting, MemberState.Undoing];
        return !await turn.Db.RolloutMembers.AnyAsync(
            member => member.RolloutId == _id && member.Wave == turn.Rollout.Wave && open.Contains(member.State), cancellation);
    }

    private async Task<Next?> WindowsAsync(CancellationToken cancellation)
    {
        if (turn.Order.Spec.Windows.Count == 0 && turn.Order.Spec.Calendars.Count == 0)
        {
            return null;
        }

        FleetControl control = await turn.Db.FleetControl.AsNoTracking().SingleAsync(cancellation);
        WindowSet windows = new(turn.Order.Spec.Windows, [.. control.ReadCalendars().Where(calendar => turn.Order.Spec.Calendars.Contains(calendar.Name))]);
        Instant now = Instant.FromDateTimeOffset(turn.Now);
        if (windows.IsOpenAt(now))
        {
            return turn.Rollout.State == RolloutState.WaitingForWindow ? new Next(new RolloutEvent.WindowOpened(), "window-opened") : null;
        }

        if (turn.Rollout.State == RolloutState.WaitingForWindow)
        {
            return null;
        }

        Instant? opens = windows.NextOpening(now)?.Start;
        return new Next(new RolloutEvent.WindowClosed((opens - now)?.ToTimeSpan()), "window-closed",
            opens is { } at ? $"no window is open; the next one opens at {at.ToDateTimeOffset():u}" : "no window is open, and none is known to open");
    }

    private async Task<Next?> GatesAsync(CancellationToken cancellation)
    {
        List<RolloutGate> gates = await turn.Db.RolloutGates.AsNoTracking()
            .Where(gate => gate.RolloutId == _id && gate.Wave == turn.Rollout.Wave).ToListAsync(cancellation);
        if (gates.Find(gate => gate.State == GateState.Stopped) is { } stopped)
        {
            return new Next(null, "gate-stopped", $"gate {stopped.Name}: {stopped.Why}".TrimEnd('.'), turn.Rule.Errors.OnGateStopped);
        }

        // Each gate by name: one that is missing has not passed.
        return turn.Gates.All(wanted => gates.Exists(gate => gate.Name == wanted.Name && gate.State == GateState.Passed)) ? new Next(new RolloutEvent.GatesPassed(), "gates-passed") : null;
    }

    private async Task<int> AdmitAsync(CancellationToken cancellation)
    {
        bool forward = turn.Rollout.State == RolloutState.Running;
        if (!forward && turn.Rollout.State != RolloutState.RollingBack)
        {
            return 0;
        }

        // There may be thousands, of which only those that change are tracked.
        List<RolloutMember> members = await turn.Db.RolloutMembers.AsNoTracking()
            .Where(member => member.RolloutId == _id && (member.State == MemberState.UndoWaiting
                || (forward && member.Wave == turn.Rollout.Wave && member.State == MemberState.Waiting)))
            .OrderBy(member => member.Position).ToListAsync(cancellation);
        if (members.Count == 0)
        {
            return 0;
        }

        // Held until the commit: whoever else admits waits, and counts what is admitted here.
        await FleetControl.LockAsync(turn.Db, cancellation);
        AdmissionRound round = await RoundReader.ReadAsync(turn, members, cancellation);
        IReadOnlyList<Considered> considered = round.Decide(members);
        Considered[] begin = [.. considered.Where(one => one.Turn == Turn.Begin)];
        int most = members.Count == round.Wave.Count ? MostBegunFirst : MostBegun;
        _more = begin.Length > most;
        begin = [.. begin.Take(most)];
        Considered[] ended = [.. considered.Where(one => one.Turn is Turn.Skip or Turn.Fail)];
        int[] changed = [.. begin.Concat(ended).Select(one => one.Member.Position)];
        Dictionary<int, RolloutMember> tracked = changed.Length == 0 ? [] : await turn.Db.RolloutMembers
            .Where(member => member.RolloutId == _id && changed.Contains(member.Position)).ToDictionaryAsync(member => member.Position, cancellation);
        await BeginAsync([.. begin.Select(one => tracked[one.Member.Position])], cancellation);
        foreach (Considered one in ended)
        {
            RolloutMember member = tracked[one.Member.Position];
            bool undoing = member.State == MemberState.UndoWaiting;
            _failed |= one.Turn == Turn.Fail && !undoing;
            member.State = (one.Turn, undoing) switch
            {
                (Turn.Skip, false) => MemberState.Skipped,
                (Turn.Skip, true) => MemberState.Undone,
                (_, false) => MemberState.Failed,
                (_, true) => MemberState.UndoFailed,
            };
            (member.Why, member.EndedAt) = (one.Why, turn.Now);
        }

        return begin.Length;
    }

    private async Task BeginAsync(IReadOnlyList<RolloutMember> members, CancellationToken cancellation)
    {
        if (members.Count == 0)
        {
            return;
        }

        Dictionary<GuestId, GuestRecord> guests = await GuestRecord.LockAsync(turn.Db, members.Select(member => member.Guest), cancellation);
        string[] digests = [.. members.Select(Target).Distinct()];
        Dictionary<string, ImageRecord> images = await turn.Db.Images.AsNoTracking()
            .Where(row => digests.Contains(row.Digest)).ToDictionaryAsync(row => row.Digest, cancellation);
        foreach (RolloutMember member in members)
        {
            Begin(member, guests[member.Guest], images[Target(member)]);
        }
    }

    private string Target(RolloutMember member) => member.State == MemberState.UndoWaiting ? member.ImageBefore! : turn.Rollout.ImageDigest;

    private void Begin(RolloutMember member, GuestRecord guest, ImageRecord image)
    {
        bool back = member.State == MemberState.UndoWaiting;
        UpgradeRecord upgrade = AdmitUpgrade.Begin(
            turn.Db, turn.Rollout, image, guest, back ? [] : turn.Order.RuleOf(turn.Waves[member.Wave - 1].Name).Gates, turn.Options, turn.Now);
        member.ImageBefore ??= guest.ImageDigest;
        (member.State, member.UpgradeId, member.Why, member.NotBefore) = (back ? MemberState.Undoing : MemberState.Running, upgrade.Id, null, null);
        member.Attempt++;
        turn.Db.AdmissionLeases.Add(new AdmissionLease
        {
            HostName = member.HostName,
            GuestName = member.GuestName,
            RolloutId = _id,
            UpgradeId = upgrade.Id,
            TakenAt = turn.Now,
            ExpiresAt = turn.Now + options.LeaseTime,
        });
    }

    private Task<int> RenewLeasesAsync(CancellationToken cancellation)
    {
        DateTimeOffset until = turn.Now + options.LeaseTime;
        DateTimeOffset stale = turn.Now + options.LeaseTime * 0.75;
        return turn.Db.Database.ExecuteSqlAsync(
            $"""
             update admission_leases lease set expires_at = {until}
             from hosts where hosts.name = lease.host_name and lease.rollout_id = {_id} and lease.expires_at < {stale}
               and hosts.last_seen + 3 * hosts.heartbeat_interval >= {turn.Now}
             """, cancellation);
    }
}
