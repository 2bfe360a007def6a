using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.Upgrades;

/// <summary>
/// The life of an upgrade: (situation, event) → (situation, command, deadline, effects), without any I/O or clock.
/// <code>
/// Admitted → Preflight → Reserve → Load → Boot → Standby → Transfer → CutOver → Probation → Commit → Completed
///               │           └──────┴──────┴──────┴─ failed or silent ─┴────────┘        │
///               │                                  ↓                                    ├ again, a limited number of times
///               └ failed or silent → RolledBack ← RollingBack → Failed                  └→ CommitIncomplete or Failed
/// </code>
/// A kernel B that took over because A panicked leads from every step between to Commit.
/// Before Transfer and before Probation a rollout's gates may be asked, one of which that does not succeed is a failure. Who aborts takes the ways of a failure. Preflight touches nothing, so its failure needs no roll-back. After Commit has begun there is no way back.
/// The line above is a twin's; <see cref="UpgradePath"/> has the steps that kexec and reboot take of it.
/// </summary>
public static class UpgradeMachine
{
    public static UpgradeDecision Decide(UpgradeSituation now, UpgradeEvent what, UpgradeOptions options)
    {
        if (Refusal(now, what) is { } refusal)
        {
            return new UpgradeDecision { Next = now, Ignored = refusal, KeepsDeadline = true };
        }

        return what switch
        {
            UpgradeEvent.Started => Ask(now, UpgradeState.Preflight, attempt: 1, options),
            UpgradeEvent.Accepted => Accept(now, options),
            UpgradeEvent.Progressed progressed => new UpgradeDecision
            {
                Next = now,
                KeepsDeadline = true,
                Effects = [new UpgradeEffect.NoteProgress(progressed.Message)],
            },
            UpgradeEvent.Completed completed => Succeed(now, completed.Report, options),
            UpgradeEvent.Failed failed => Fail(now, failed.Failure, failed.Reason, failed.Report, options),
            UpgradeEvent.Aborted aborted => Fail(now, UpgradeFailure.Aborted, aborted.Reason, StepReport.Nothing, options),
            UpgradeEvent.GatesPassed => Ask(now, now.State, attempt: 1, options),
            UpgradeEvent.GateStopped stopped => Fail(now, UpgradeFailure.GateStopped, stopped.Reason, StepReport.Nothing, options),
            UpgradeEvent.DeadlinePassed when now.Phase == StepPhase.BackingOff =>
                Ask(now, now.State, now.Attempt + 1, options),
            UpgradeEvent.DeadlinePassed when now.Phase == StepPhase.Gating =>
                Fail(now, UpgradeFailure.GateStopped, "its gates were not all asked in their time; see that a coordinator runs", StepReport.Nothing, options),
            UpgradeEvent.DeadlinePassed =>
                Fail(now, UpgradeFailure.HostAgentSilent, Silence(now, options), StepReport.Nothing, options),
            _ => throw new ArgumentOutOfRangeException(nameof(what), what, "Not an event of an upgrade."),
        };
    }

    private static IgnoredEvent? Refusal(UpgradeSituation now, UpgradeEvent what)
    {
        if (now.Ended)
        {
            return IgnoredEvent.AlreadyEnded;
        }

        if (what is UpgradeEvent.Started)
        {
            return now.State == UpgradeState.Admitted ? null : IgnoredEvent.AlreadyStarted;
        }

        if (now.Step is not { } current)
        {
            return IgnoredEvent.NotStarted;
        }

        if (what is UpgradeEvent.Aborted)
        {
            return now.State switch
            {
                UpgradeState.Commit => IgnoredEvent.NoWayBack,
                UpgradeState.RollingBack => IgnoredEvent.AlreadyRollingBack,
                _ => null,
            };
        }

        if (what is UpgradeEvent.FromGates gates)
        {
            return gates.Step == current && now.Phase == StepPhase.Gating ? null : IgnoredEvent.NoGateAsked;
        }

        if (what is not UpgradeEvent.FromHost word)
        {
            return null;
        }

        if (word.Host != now.Host)
        {
            return IgnoredEvent.ForeignHost;
        }

        if (word.Epoch != now.Epoch)
        {
            return IgnoredEvent.ForeignEpoch;
        }

        if (word.Step != current)
        {
            return word.Step < current && UpgradePath.Has(now.Strategy, word.Step) ? IgnoredEvent.StepIsOver : IgnoredEvent.StepNotAsked;
        }

        return (now.Phase, word) switch
        {
            (StepPhase.Gating, _) => IgnoredEvent.StepNotAsked,
            (StepPhase.Accepted, UpgradeEvent.Accepted) => IgnoredEvent.AlreadyAccepted,
            // A late success counts: only RollBack and Commit are repeated, and both are wanted whenever they succeed.
            (StepPhase.BackingOff, not UpgradeEvent.Completed) => IgnoredEvent.RetryPending,
            _ => null,
        };
    }

    private static UpgradeDecision Accept(UpgradeSituation now, UpgradeOptions options) => new()
    {
        Next = now with { Phase = StepPhase.Accepted },
        Deadline = options.DeadlineOf(now.Step!.Value, now.Strategy) + options.Grace,
        Effects = [new UpgradeEffect.AcceptStep()],
    };

    private static UpgradeDecision Succeed(UpgradeSituation now, StepReport report, UpgradeOptions options)
    {
        UpgradeEffect[] effects = [new UpgradeEffect.FinishStep(UpgradeFailure.None, "", report)];
        return now.State switch
        {
            UpgradeState.RollingBack => End(now, UpgradeState.RolledBack, effects),
            UpgradeState.Commit => End(now, UpgradeState.Completed, [.. effects, new UpgradeEffect.ClearFailure()]),
            UpgradeState.Preflight => Choose(now, report, options, effects),
            _ => Next(now, options, effects),
        };
    }

    /// <summary>A host must not do what nobody allowed: an outage where a twin was asked for.</summary>
    private static UpgradeDecision Choose(
        UpgradeSituation now, StepReport report, UpgradeOptions options, IReadOnlyList<UpgradeEffect> effects)
    {
        UpgradeStrategy chosen = report.Strategy ?? UpgradeStrategy.Twin;
        return chosen == UpgradeStrategy.Auto || (now.Strategy != UpgradeStrategy.Auto && now.Strategy != chosen)
            ? Fail(now, UpgradeFailure.Internal,
                $"strategy {now.Strategy} was asked for and host {now.Host} chose {chosen}: its agent is of another release", report, options)
            : Next(now with { Strategy = chosen }, options, effects);
    }

    private static UpgradeDecision Next(UpgradeSituation now, UpgradeOptions options, IReadOnlyList<UpgradeEffect> effects)
    {
        UpgradeStep step = UpgradePath.After(now.Strategy, now.Step!.Value);
        UpgradeState state = UpgradeSituation.StateOf(step);
        return now.Gates.Before(step) is not { } time
            ? Ask(now, state, attempt: 1, options, effects)
            : new UpgradeDecision
            {
                Next = now with { State = state, Phase = StepPhase.Gating, Attempt = 0 },
                Deadline = time + options.Grace,
                Effects = effects,
            };
    }

    private static UpgradeDecision Fail(
        UpgradeSituation now, UpgradeFailure failure, string reason, StepReport report, UpgradeOptions options)
    {
        UpgradeStep step = now.Step!.Value;
        UpgradeEffect finish = new UpgradeEffect.FinishStep(failure, reason, report);
        UpgradeEffect record = new UpgradeEffect.RecordFailure(step, failure, reason);
        if (now.Phase == StepPhase.Gating)
        {
            return Ask(now, UpgradeState.RollingBack, attempt: 1, options, [record]);
        }

        switch (now.State)
        {
            // What was observed wins over what was asked for, a roll-back too. The commit makes sure that kernel B owns everything.
            case not (UpgradeState.Preflight or UpgradeState.Commit) when failure == UpgradeFailure.TookOver:
                return Ask(now, UpgradeState.Commit, attempt: 1, options, [finish, new UpgradeEffect.NoteTakeOver($"In {step}: {reason}")]);

            case UpgradeState.Preflight:
                return End(now, UpgradeState.RolledBack, [finish, record]);

            case UpgradeState.Commit when now.Attempt < options.CommitAttempts:
                return BackOff(now, options, [finish, record]);

            case UpgradeState.Commit when report.Guest is not null:
                return End(now, UpgradeState.CommitIncomplete, [
                    finish, new UpgradeEffect.RecordFailure(step, UpgradeFailure.CommitIncomplete,
                        $"{reason} (attempt {now.Attempt}, the last; kernel {report.Guest.KernelRelease} serves)")]);

            case UpgradeState.Commit:
                return End(now, UpgradeState.Failed, [
                    finish, new UpgradeEffect.RecordFailure(step, failure,
                        $"{reason} (attempt {now.Attempt}, the last; the guest did not answer)")]);

            case UpgradeState.RollingBack when now.Attempt < options.RollBackAttempts:
                return BackOff(now, options, [finish]);

            case UpgradeState.RollingBack:
                string observed = report.Guest is { } guest
                    ? $"the guest answered last with kernel {guest.KernelRelease}, {guest.CpusOnline} of {guest.CpusPresent} CPUs"
                    : "the guest did not answer";
                return End(now, UpgradeState.Failed, [
                    finish, new UpgradeEffect.RecordFailure(null, UpgradeFailure.RollBackFailed,
                        $"the roll-back failed {now.Attempt} times, at last: {reason}; {observed}")]);

            default:
                return Ask(now, UpgradeState.RollingBack, attempt: 1, options, [finish, record]);
        }
    }

    private static UpgradeDecision Ask(
        UpgradeSituation now, UpgradeState state, int attempt, UpgradeOptions options,
        IReadOnlyList<UpgradeEffect>? effects = null)
    {
        UpgradeSituation next = now with { State = state, Phase = StepPhase.Commanded, Attempt = attempt };
        UpgradeStep step = next.Step!.Value;
        return new UpgradeDecision
        {
            Next = next,
            Command = new StepCommand(step, attempt, options.DeadlineOf(step, next.Strategy), options.AcceptWithin),
            Deadline = options.AcceptWithin + options.Grace,
            Effects = effects ?? [],
        };
    }

    private static UpgradeDecision BackOff(
        UpgradeSituation now, UpgradeOptions options, IReadOnlyList<UpgradeEffect> effects) => new()
        {
            Next = now with { Phase = StepPhase.BackingOff },
            Deadline = options.BackoffAfter(now.Attempt),
            Effects = effects,
        };

    private static UpgradeDecision End(
        UpgradeSituation now, UpgradeState state, IReadOnlyList<UpgradeEffect> effects) => new()
        {
            Next = now with { State = state, Phase = StepPhase.None, Attempt = 0 },
            Effects = effects,
        };

    private static string Silence(UpgradeSituation now, UpgradeOptions options) => now.Phase == StepPhase.Commanded
        ? $"host {now.Host} did not accept {now.Step} within {options.AcceptWithin.TotalSeconds:0.#} s; see that its agent runs and reaches the broker"
        : $"host {now.Host} accepted {now.Step} but reported no result within {options.DeadlineOf(now.Step!.Value, now.Strategy).TotalSeconds:0.#} s";
}
