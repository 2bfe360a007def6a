using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Upgrades;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// What a person does to a rollout, its approval included. Each act is one transaction with its audit; the answer leaves the guests out, of which
/// there may be thousands.
/// </summary>
public sealed partial class ControlRollout(
    FleetTransaction transactions, ReadRollouts read, IOptions<UpgradeOptions> upgrades, TimeProvider time, ILogger<ControlRollout> logger)
{
    private static readonly Dictionary<string, RolloutEvent> _acts = new()
    {
        ["start"] = new RolloutEvent.Start(),
        ["pause"] = new RolloutEvent.Pause(),
        ["resume"] = new RolloutEvent.Resume(),
        ["promote"] = new RolloutEvent.Promote(),
        ["cancel"] = new RolloutEvent.Cancel(),
        ["abort"] = new RolloutEvent.Abort(),
        ["undo"] = new RolloutEvent.Undo(UndoScope.Rollout),
        ["retry"] = new RolloutEvent.Retry(),
    };

    public async Task<Wire.Rollout> HandleAsync(Wire.ControlRolloutRequest request, CancellationToken cancellation)
    {
        List<(string, string)> violations = [];
        ActorName.Check(request.Actor, violations);
        if (!_acts.TryGetValue(request.Act, out RolloutEvent? what))
        {
            violations.Add(("act", $"'{request.Act}' must be one of {string.Join(", ", _acts.Keys)}."));
        }

        if (request.Reason.Length > 500)
        {
            violations.Add(("reason", "must have at most 500 characters."));
        }

        if (violations.Count > 0)
        {
            throw Refusal.Invalid(violations);
        }

        string? reason = request.Reason.Length > 0 ? $"{request.Act} by {request.Actor}: {request.Reason}"
            : what is RolloutEvent.Start or RolloutEvent.Resume or RolloutEvent.Promote or RolloutEvent.Retry ? null
            : $"{request.Act} by {request.Actor}";
        return await RunAsync(request.Rollout, async (turn, stop) =>
        {
            if (what is RolloutEvent.Start && turn.Rollout.State == RolloutState.Ready)
            {
                await RefuseChangedAsync(turn, stop);
            }

            return await turn.ApplyAsync(what!, request.Actor, request.Act, reason, stop);
        }, request.Act, request.Actor, cancellation);
    }

    public async Task<Wire.Rollout> ApproveAsync(Wire.ApproveRolloutRequest request, CancellationToken cancellation)
    {
        List<(string, string)> violations = [];
        ActorName.Check(request.Actor, violations);
        if (request.PlanHash.Length == 0)
        {
            violations.Add(("plan_hash", "is missing: say which plan is approved; `twinfleet rollout show` has its hash."));
        }

        if (violations.Count > 0)
        {
            throw Refusal.Invalid(violations);
        }

        return await RunAsync(request.Rollout, async (turn, stop) =>
        {
            if (turn.Rollout.CreatedBy == request.Actor)
            {
                throw Refusal.NotReady([("actor", $"{request.Actor} made rollout {turn.Rollout.Name}; another person must approve it.")]);
            }

            if (request.PlanHash != turn.Rollout.PlanHash)
            {
                throw Refusal.NotReady([("plan_hash", $"The plan of rollout {turn.Rollout.Name} is {turn.Rollout.PlanHash}, not {request.PlanHash}; look at it again.")]);
            }

            TimeSpan lasts = turn.Order.ApprovalLasts.ToTimeSpan();
            RolloutDecision decision = await turn.ApplyAsync(new RolloutEvent.Approve(lasts), request.Actor, "approve", null, stop);
            if (decision.Ignored is null)
            {
                turn.Db.RolloutApprovals.Add(new RolloutApproval
                {
                    RolloutId = turn.Rollout.Id,
                    PlanHash = request.PlanHash,
                    ApprovedBy = request.Actor,
                    ApprovedAt = turn.Now,
                    ExpiresAt = turn.Now + lasts,
                });
            }

            return decision;
        }, "approve", request.Actor, cancellation);
    }

    private async Task<Wire.Rollout> RunAsync(
        string rollout, Func<RolloutTurn, CancellationToken, Task<RolloutDecision>> act, string name, string actor, CancellationToken cancellation)
    {
        Guid id = await transactions.RunAsync(async (db, stop) =>
        {
            Guid found = await ReadRollouts.FindAsync(db, rollout, stop);
            RolloutRecord row = await db.Rollouts.FromSql($"select *, xmin from rollouts where id = {found} for update").SingleAsync(stop);
            RolloutTurn turn = await RolloutTurn.OpenAsync(db, row, upgrades.Value, time.GetUtcNow(), stop);
            RolloutDecision decision = await act(turn, stop);
            if (decision.Ignored is { } ignored && !IsDone(name, ignored, row.State!.Value))
            {
                throw Refusal.NotReady([("act", $"Rollout {row.Name} is {row.State}: {Sentence(ignored)}.")]);
            }

            if (decision.Ignored is null)
            {
                Log.Done(logger, row.Name!, name, actor, row.State!.Value);
            }

            return found;
        }, cancellation);
        return await read.GetWithoutMembersAsync(id, cancellation);
    }

    /// <summary>The plan that was made, and perhaps approved, must still be what would be made of the definition now.</summary>
    private static async Task RefuseChangedAsync(RolloutTurn turn, CancellationToken cancellation)
    {
        List<Violation> violations = [];
        PlanRollout.Planned? planned = await PlanRollout.ReadAsync(turn.Db, turn.Rollout.Definition!, turn.Rollout.Id, turn.Now, violations, cancellation);
        if (planned is null)
        {
            throw Refusal.NotReady([.. violations.Select(one => (one.Field, one.Message))]);
        }

        if (planned.Plan.Hash != turn.Rollout.PlanHash)
        {
            throw Refusal.NotReady([("plan_hash",
                $"The plan has changed since rollout {turn.Rollout.Name} was made: it would be {planned.Plan.Hash} now. Cancel it, look at the new plan and make it anew.")]);
        }
    }

    /// <summary>The act was done before: once more changes nothing and is no error.</summary>
    private static bool IsDone(string act, IgnoredRolloutEvent ignored, RolloutState state) => (act, ignored) switch
    {
        ("start", IgnoredRolloutEvent.AlreadyStarted) => true,
        ("pause", IgnoredRolloutEvent.AlreadyPaused) => true,
        ("cancel", IgnoredRolloutEvent.AlreadyStopping) => true,
        ("undo", IgnoredRolloutEvent.AlreadyRollingBack) => true,
        ("cancel", IgnoredRolloutEvent.AlreadyEnded) => state == RolloutState.Cancelled,
        ("abort", IgnoredRolloutEvent.AlreadyEnded) => state == RolloutState.Stopped,
        ("undo", IgnoredRolloutEvent.AlreadyEnded) => state == RolloutState.RolledBack,
        ("approve", IgnoredRolloutEvent.NoApprovalAwaited) => state == RolloutState.Ready,
        _ => false,
    };

    private static string Sentence(IgnoredRolloutEvent ignored) => ignored switch
    {
        IgnoredRolloutEvent.AlreadyEnded => "it has ended",
        IgnoredRolloutEvent.NoApprovalAwaited => "nobody is asked to approve it",
        IgnoredRolloutEvent.NotApproved => "another person must approve it first, with `twinfleet rollout approve`",
        IgnoredRolloutEvent.AlreadyStarted => "it was started before",
        IgnoredRolloutEvent.NotStarted => "it was not started; `twinfleet rollout start` does that",
        IgnoredRolloutEvent.AlreadyPaused => "it is paused already",
        IgnoredRolloutEvent.NotPaused => "it is not paused",
        IgnoredRolloutEvent.NothingToPromote => "no wave waits to be promoted",
        IgnoredRolloutEvent.AlreadyStopping => "it is ending, and nothing more will begin",
        IgnoredRolloutEvent.AlreadyRollingBack => "it is bringing guests back",
        _ => "that has no meaning there",
    };

    private static partial class Log
    {
        [LoggerMessage(1201, LogLevel.Information, "Rollout {Rollout}: {Act} by {Actor}; now {State}")]
        public static partial void Done(ILogger logger, string rollout, string act, string actor, RolloutState state);
    }
}
