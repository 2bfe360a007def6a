using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Delivery;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// Asks the gates of waves, in every coordinator: one that is due is taken for the time that a question may take, asked outside of any
/// transaction, and its answer is written down together with what follows. A coordinator that dies meanwhile leaves it to another.
/// </summary>
public sealed partial class GateRunner(
    FleetTransaction transactions, GateQuestion question, ChangeSignals signals, IOptions<RolloutOptions> rollouts, IOptions<UpgradeOptions> upgrades,
    TimeProvider time, ILogger<GateRunner> logger) : BackgroundService
{
    /// <summary>Added to a question's own time before another coordinator asks.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(rollouts.Value.Interval, time);
        bool quiet = false;
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask().ContinueWith(
            tick => tick.IsCompletedSuccessfully && tick.Result, TaskScheduler.Default))
        {
            try
            {
                List<Claim> claims = [];
                while (await transactions.RunAsync(ClaimAsync, stoppingToken) is { } claim)
                {
                    if (claim.Gate is not null)
                    {
                        claims.Add(claim);
                    }
                }

                await Task.WhenAll(claims.Select(claim => AskAsync(claim, stoppingToken)));
                quiet = false;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
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
    }

    /// <summary>A question to ask. Without a <paramref name="Gate"/> the rollout's definition has none of that name, and the row is gone.</summary>
    private sealed record Claim(Guid Rollout, int Wave, GateSpec? Gate, IReadOnlyList<GuestId> Guests);

    private async Task<Claim?> ClaimAsync(FleetDbContext db, CancellationToken cancellation)
    {
        DateTimeOffset now = time.GetUtcNow();
        List<RolloutGate> due = await db.RolloutGates.FromSql(
            $"""
             select * from rollout_gates gate
             where ask_at <= {now} and (asking_until is null or asking_until <= {now})
               and exists (select 1 from rollouts where id = gate.rollout_id and state = 'Gating' and wave = gate.wave)
             order by ask_at
             limit 1
             for update skip locked
             """).ToListAsync(cancellation);
        if (due is not [RolloutGate gate])
        {
            return null;
        }

        RolloutTurn turn = await OpenAsync(db, gate.RolloutId, now, cancellation);
        GateSpec? spec = turn.Gates.FirstOrDefault(one => one.Name == gate.Name);
        if (spec is null)
        {
            db.RolloutGates.Remove(gate);
            return new Claim(gate.RolloutId, gate.Wave, null, []);
        }

        gate.AskingUntil = now + spec.Timeout.ToTimeSpan() + Grace;
        var guests = await db.RolloutMembers.AsNoTracking()
            .Where(member => member.RolloutId == gate.RolloutId && member.Wave == gate.Wave && member.State == MemberState.Succeeded)
            .OrderBy(member => member.Position).Select(member => new { member.HostName, member.GuestName }).ToListAsync(cancellation);
        return new Claim(gate.RolloutId, gate.Wave, spec, [.. guests.Select(one => new GuestId(one.HostName, one.GuestName))]);
    }

    private async Task<RolloutTurn> OpenAsync(FleetDbContext db, Guid rollout, DateTimeOffset now, CancellationToken cancellation) =>
        await RolloutTurn.OpenAsync(db, await db.Rollouts.SingleAsync(row => row.Id == rollout, cancellation), upgrades.Value, now, cancellation);

    private async Task AskAsync(Claim claim, CancellationToken cancellation)
    {
        GateSpec gate = claim.Gate!;
        (GateOutcome outcome, string detail) = await question.AskAsync(gate, claim.Guests, cancellation);
        GateVerdict verdict = await transactions.RunAsync(
            (db, stop) => RecordAsync(db, claim, new GateAnswer(Instant.FromDateTimeOffset(time.GetUtcNow()), outcome, detail), stop), cancellation);
        Log.Answered(logger, claim.Rollout, claim.Wave, gate.Name, outcome, detail, verdict.State);
        signals.RolloutsHaveWork();
    }

    private async Task<GateVerdict> RecordAsync(FleetDbContext db, Claim claim, GateAnswer answer, CancellationToken cancellation)
    {
        GateSpec spec = claim.Gate!;
        DateTimeOffset now = time.GetUtcNow();
        // The rollout first, as everybody else: its driver waits for the answer's commit.
        await db.Rollouts.FromSql($"select *, xmin from rollouts where id = {claim.Rollout} for update").LoadAsync(cancellation);
        RolloutGate? gate = await db.RolloutGates
            .FromSql($"select * from rollout_gates where rollout_id = {claim.Rollout} and wave = {claim.Wave} and name = {spec.Name} for update")
            .SingleOrDefaultAsync(cancellation);
        if (gate is null)
        {
            return new GateVerdict(GateState.Ask, null, null, "");
        }

        gate.Add(answer);
        gate.AskingUntil = null;
        GateVerdict verdict = Gate.Decide(spec, Instant.FromDateTimeOffset(gate.BegunAt), gate.ReadAnswers(), Instant.FromDateTimeOffset(now));
        (gate.State, gate.Why) = (verdict.State, verdict.Why.Length > 0 ? $"{verdict.Why} {answer.Detail}".Trim() : null);
        gate.AskAt = verdict.AskAt?.ToDateTimeOffset();
        if (verdict.State != GateState.Ask)
        {
            gate.AskAt = null;
            db.Note(now, AuditEntry.Service, "gate", $"{spec.Name} after wave {claim.Wave}", $"{verdict.State}: {answer.Outcome}: {answer.Detail}", claim.Rollout);
        }

        return verdict;
    }

    private static partial class Log
    {
        [LoggerMessage(1401, LogLevel.Information, "Rollout {Rollout}: gate {Gate} after wave {Wave} answered {Outcome} ({Detail}); now {State}")]
        public static partial void Answered(ILogger logger, Guid rollout, int wave, string gate, GateOutcome outcome, string detail, GateState state);

        [LoggerMessage(1402, LogLevel.Error, "Gates cannot be asked ({Reason}); again every interval")]
        public static partial void Stopped(ILogger logger, string reason, Exception exception);
    }
}
