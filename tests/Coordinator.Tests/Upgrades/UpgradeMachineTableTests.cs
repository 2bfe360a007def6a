using System.Globalization;
using System.Text;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Tests.Upgrades;

/// <summary>Every (situation, event) pair against transitions.txt: it is either there or ignored under the right name.</summary>
public sealed class UpgradeMachineTableTests
{
    private const string Host = "h1";
    private const long Epoch = 7;
    private static readonly UpgradeOptions Options = new() { CommitAttempts = 3, RollBackAttempts = 3 };

    private static readonly GuestObservation Guest = new()
    {
        ObservedAt = DateTimeOffset.UnixEpoch,
        KernelRelease = "6.12",
        BootId = "b",
        HasParent = true,
        CpusOnline = 1,
        CpusPresent = 2,
        MemoryBytes = 1,
        MachineMemoryBytes = 2,
        MachineMemoryOwnedBytes = 1,
    };

    private static readonly GateTimes Gated = new(TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(6));
    private static readonly UpgradeStrategy[] Strategies = Enum.GetValues<UpgradeStrategy>();

    private sealed record Row(UpgradeStrategy Strategy, UpgradeState State, StepPhase Phase, string Attempt, string Event,
        UpgradeState Next, StepPhase NextPhase, UpgradeStep? Command);

    private static readonly List<Row> Table = [.. ReadTable()];

    private static IEnumerable<Row> ReadTable()
    {
        using StreamReader text = new(typeof(UpgradeMachineTableTests).Assembly.GetManifestResourceStream("transitions.txt")!);
        while (text.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
            {
                continue;
            }

            string[] word = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            foreach (char letter in word[0])
            {
                yield return new Row(
                    Strategies.Single(strategy => strategy.ToString()[0] == letter),
                    Enum.Parse<UpgradeState>(word[1]), Enum.Parse<StepPhase>(word[2]), word[3], word[4],
                    Enum.Parse<UpgradeState>(word[6]), Enum.Parse<StepPhase>(word[7]),
                    word[8] == "-" ? null : Enum.Parse<UpgradeStep>(word[8]));
            }
        }
    }

    private static UpgradeStep[] Path(UpgradeStrategy strategy) => strategy switch
    {
        UpgradeStrategy.Twin => [.. Enum.GetValues<UpgradeStep>().Where(step => step < UpgradeStep.RollBack)],
        UpgradeStrategy.Kexec => [UpgradeStep.Preflight, UpgradeStep.Load, UpgradeStep.CutOver, UpgradeStep.Probation, UpgradeStep.Commit],
        UpgradeStrategy.Reboot => [UpgradeStep.Preflight, UpgradeStep.CutOver, UpgradeStep.Probation, UpgradeStep.Commit],
        _ => [UpgradeStep.Preflight],
    };

    /// <summary>
    /// All situations that can be: ended and admitted ones have no phase, only Commit and RollingBack back off, gates are before Transfer and
    /// Probation, and a strategy has the states of its own path.
    /// </summary>
    private static IEnumerable<UpgradeSituation> Situations() => Strategies.SelectMany(Situations)
        .SelectMany(one => one.Phase == StepPhase.Gating ? [one with { Attempt = 0, Gates = Gated }] : new[] { one, one with { Gates = Gated } });

    private static IEnumerable<UpgradeSituation> Situations(UpgradeStrategy strategy)
    {
        foreach (UpgradeState state in Enum.GetValues<UpgradeState>())
        {
            foreach (StepPhase phase in Enum.GetValues<StepPhase>())
            {
                UpgradeSituation one = new(state, phase, 1, Host, Epoch, strategy);
                if (one.Step is { } step && (step == UpgradeStep.RollBack ? strategy == UpgradeStrategy.Auto : !Path(strategy).Contains(step)))
                {
                    continue;
                }

                bool repeats = state is UpgradeState.Commit or UpgradeState.RollingBack;
                if ((one.Step is null) != (phase == StepPhase.None) || (phase == StepPhase.BackingOff && !repeats)
                    || (phase == StepPhase.Gating && state is not (UpgradeState.Transfer or UpgradeState.Probation)))
                {
                    continue;
                }

                yield return one;
                if (repeats && phase != StepPhase.BackingOff)
                {
                    yield return one with { Attempt = 3 };
                }
            }
        }
    }

    private static IEnumerable<(string Name, UpgradeEvent Event)> Events()
    {
        yield return ("Started", new UpgradeEvent.Started());
        yield return ("DeadlinePassed", new UpgradeEvent.DeadlinePassed());
        yield return ("Aborted", new UpgradeEvent.Aborted("no more"));
        foreach (UpgradeStep step in Enum.GetValues<UpgradeStep>())
        {
            yield return ("GatesPassed", new UpgradeEvent.GatesPassed(step));
            yield return ("GateStopped", new UpgradeEvent.GateStopped(step, "no"));
            foreach ((string host, long epoch) in new[] { (Host, Epoch), ("h2", Epoch), (Host, Epoch - 1), (Host, Epoch + 1) })
            {
                yield return ("Accepted", new UpgradeEvent.Accepted(host, epoch, step));
                yield return ("Progressed", new UpgradeEvent.Progressed(host, epoch, step, "going on"));
                yield return ("Completed", new UpgradeEvent.Completed(host, epoch, step, StepReport.Nothing));
                foreach (UpgradeStrategy chosen in Strategies.Where(_ => step == UpgradeStep.Preflight))
                {
                    yield return ($"Chose{chosen}", new UpgradeEvent.Completed(host, epoch, step, StepReport.Nothing with { Strategy = chosen }));
                }

                yield return ("Failed", new UpgradeEvent.Failed(
                    host, epoch, step, UpgradeFailure.MachineGone, "gone", StepReport.Nothing));
                yield return ("FailedTookOver", new UpgradeEvent.Failed(
                    host, epoch, step, UpgradeFailure.TookOver, "A panicked", StepReport.Nothing));
                yield return ("FailedGuestAnswers", new UpgradeEvent.Failed(
                    host, epoch, step, UpgradeFailure.Internal, "odd", StepReport.Nothing with { Guest = Guest }));
            }
        }
    }

    private static Row? Find(UpgradeSituation now, string name, UpgradeEvent what)
    {
        if (what is UpgradeEvent.FromGates gates && gates.Step != now.Step)
        {
            return null;
        }

        if (what is UpgradeEvent.FromHost word && (word.Host != Host || word.Epoch != Epoch || word.Step != now.Step))
        {
            return null;
        }

        string attempt = now.Attempt == 1 ? "first" : "last";
        return Table.SingleOrDefault(row => row.Strategy == now.Strategy && row.State == now.State && row.Phase == now.Phase && row.Event == name
            && (row.Attempt is "any" or "-" || row.Attempt == attempt));
    }

    private static IgnoredEvent ExpectedName(UpgradeSituation now, UpgradeEvent what) => (now.State, what) switch
    {
        (UpgradeState.Completed or UpgradeState.RolledBack or UpgradeState.Failed or UpgradeState.CommitIncomplete, _)
            => IgnoredEvent.AlreadyEnded,
        (_, UpgradeEvent.Started) => IgnoredEvent.AlreadyStarted,
        (UpgradeState.Admitted, _) => IgnoredEvent.NotStarted,
        (UpgradeState.Commit, UpgradeEvent.Aborted) => IgnoredEvent.NoWayBack,
        (UpgradeState.RollingBack, UpgradeEvent.Aborted) => IgnoredEvent.AlreadyRollingBack,
        (_, UpgradeEvent.FromGates) => IgnoredEvent.NoGateAsked,
        (_, UpgradeEvent.FromHost { Host: not Host }) => IgnoredEvent.ForeignHost,
        (_, UpgradeEvent.FromHost { Epoch: not Epoch }) => IgnoredEvent.ForeignEpoch,
        (_, UpgradeEvent.FromHost word) when word.Step != UpgradeStep.RollBack && !Path(now.Strategy).Contains(word.Step) => IgnoredEvent.StepNotAsked,
        (UpgradeState.RollingBack, UpgradeEvent.FromHost { Step: not UpgradeStep.RollBack }) => IgnoredEvent.StepIsOver,
        (not UpgradeState.RollingBack, UpgradeEvent.FromHost { Step: UpgradeStep.RollBack }) => IgnoredEvent.StepNotAsked,
        (not UpgradeState.RollingBack, UpgradeEvent.FromHost word) when (int)word.Step < (int)now.State - 1 => IgnoredEvent.StepIsOver,
        (not UpgradeState.RollingBack, UpgradeEvent.FromHost word) when (int)word.Step > (int)now.State - 1 => IgnoredEvent.StepNotAsked,
        _ => now.Phase switch
        {
            StepPhase.BackingOff => IgnoredEvent.RetryPending,
            StepPhase.Gating => IgnoredEvent.StepNotAsked,
            _ => IgnoredEvent.AlreadyAccepted,
        },
    };

    [Fact]
    public void Every_pair_does_what_the_table_says_or_is_ignored_by_name()
    {
        HashSet<Row> met = [];
        int pairs = 0;
        foreach (UpgradeSituation now in Situations())
        {
            foreach ((string name, UpgradeEvent what) in Events())
            {
                pairs++;
                UpgradeDecision decision = UpgradeMachine.Decide(now, what, Options);
                string pair = $"{now} × {what}";
                if (Find(now, name, what) is { } row)
                {
                    met.Add(row);
                    decision.Ignored.ShouldBeNull(pair);
                    // Gates stand before a step that the table has commanded at once.
                    bool gates = now.Phase != StepPhase.Gating && row.Command is { } asked && now.Gates.Before(asked) is not null;
                    (decision.Next.State, decision.Next.Phase, decision.Command?.Step)
                        .ShouldBe(gates ? (row.Next, StepPhase.Gating, null) : (row.Next, row.NextPhase, row.Command), pair);
                    Holds(now, decision, pair);
                }
                else
                {
                    decision.Ignored.ShouldBe(ExpectedName(now, what), pair);
                    decision.Next.ShouldBe(now, pair);
                    decision.Effects.ShouldBeEmpty(pair);
                    decision.Command.ShouldBeNull(pair);
                    decision.KeepsDeadline.ShouldBeTrue(pair);
                }
            }
        }

        met.Count.ShouldBe(Table.Count, "every line of the table was met");
        pairs.ShouldBeGreaterThan(32000);
    }

    /// <summary>What is true after every handled event.</summary>
    private static void Holds(UpgradeSituation before, UpgradeDecision decision, string pair)
    {
        decision.Next.Epoch.ShouldBe(Epoch, pair);
        decision.Next.Host.ShouldBe(Host, pair);
        decision.Next.Gates.ShouldBe(before.Gates, pair);

        // Only Preflight chooses, and only where the choice was left to it.
        if (before.Strategy != UpgradeStrategy.Auto || before.State != UpgradeState.Preflight)
        {
            decision.Next.Strategy.ShouldBe(before.Strategy, pair);
        }

        if (decision.Next.State > UpgradeState.Preflight && decision.Next.State != UpgradeState.RolledBack)
        {
            decision.Next.Strategy.ShouldNotBe(UpgradeStrategy.Auto, pair);
        }

        if (decision.Next.Ended)
        {
            decision.Deadline.ShouldBeNull(pair);
            decision.KeepsDeadline.ShouldBeFalse(pair);
        }
        else if (!decision.KeepsDeadline)
        {
            decision.Deadline.ShouldNotBeNull(pair);
            decision.Deadline.Value.ShouldBeGreaterThan(TimeSpan.Zero, pair);
        }

        // A command and only a command makes the phase Commanded, for the step that the new state stands for.
        if (decision.Command is { } command)
        {
            decision.Next.Phase.ShouldBe(StepPhase.Commanded, pair);
            command.Step.ShouldBe(decision.Next.Step!.Value, pair);
            command.Attempt.ShouldBe(decision.Next.Attempt, pair);
        }

        // Once the commit has begun nothing leads to a roll-back.
        if (before.State == UpgradeState.Commit)
        {
            decision.Next.State.ShouldNotBe(UpgradeState.RollingBack, pair);
            decision.Next.State.ShouldNotBe(UpgradeState.RolledBack, pair);
        }
    }

    [Fact]
    public void The_documents_table_is_what_the_code_does() => WrittenDocument.ShouldBe("upgrade-states.md", Document());

    private static string Document()
    {
        StringBuilder text = new(
            """
            # States of an upgrade

            Written from [UpgradeMachine](../src/Coordinator/Upgrades/UpgradeMachine.cs) by its test; do not edit. Strategies: **T**win, **K**exec, **R**eboot,
            **A**uto (before Preflight has chosen). Words of a host count when they are its own, of the upgrade's epoch and about the step that the state
            stands for; all others are ignored as ForeignHost, ForeignEpoch, StepIsOver or StepNotAsked. *Gated*: the rollout has gates there.


            """);
        foreach (IGrouping<(UpgradeState State, StepPhase Phase), UpgradeSituation> place in Situations().GroupBy(now => (now.State, now.Phase)).OrderBy(place => place.Key.State))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"## {place.Key.State}{(place.Key.Phase == StepPhase.None ? "" : $", {place.Key.Phase}")}").AppendLine();
            List<(string Event, UpgradeSituation Now, UpgradeDecision Decision)> all =
            [
                .. from now in place
                   from one in Events()
                   where one.Event switch
                   {
                       UpgradeEvent.FromHost word => word.Host == Host && word.Epoch == Epoch && word.Step == (now.Step ?? UpgradeStep.Preflight)
                           && (one.Name[0] != 'C' || one.Name == "Completed" || now.State == UpgradeState.Preflight),
                       UpgradeEvent.FromGates gates => gates.Step == (now.Step ?? UpgradeStep.Transfer),
                       _ => true,
                   }
                   select (one.Name, now, UpgradeMachine.Decide(now, one.Event, Options)),
            ];
            string[] rows =
            [
                .. from one in all
                   where one.Decision.Ignored is null
                   group one by (one.Event, Leads: Leads(one.Decision)) into same
                   select $"| {same.Key.Event} | {When(same.Select(one => one.Now), all.Where(one => one.Event == same.Key.Event).Select(one => one.Now))} | {same.Key.Leads} |",
            ];
            if (rows.Length > 0)
            {
                text.AppendLine("| Event | When | Leads to |").AppendLine("|---|---|---|").AppendJoin('\n', rows).AppendLine().AppendLine();
            }

            text.AppendLine(CultureInfo.InvariantCulture, $"Ignored: {string.Join(", ", all.Where(one => one.Decision.Ignored is not null).Select(one => $"{one.Event} ({one.Decision.Ignored})").Distinct())}.").AppendLine();
        }

        return text.ToString().TrimEnd() + "\n";
    }

    private static string Leads(UpgradeDecision decision) => string.Join("; ", ((string[])
    [
        decision.Next.Phase == StepPhase.None ? $"{decision.Next.State}" : $"{decision.Next.State}, {decision.Next.Phase}",
        decision.Command is { } command ? $"commands {command.Step}" : "",
        string.Join(", ", decision.Effects.Select(effect => effect.GetType().Name)),
    ]).Where(part => part.Length > 0));

    /// <summary>What the situations of one outcome have in common and not all have.</summary>
    private static string When(IEnumerable<UpgradeSituation> same, IEnumerable<UpgradeSituation> all)
    {
        UpgradeSituation[] these = [.. same], every = [.. all];
        return string.Join(", ", ((string[])
        [
            Of(one => one.Strategy.ToString()[..1], ""),
            Of(one => one.Gates == Gated ? "gated" : "not gated", " or "),
            Of(one => one.Attempt == 1 ? "attempts left" : "last attempt", " or "),
        ]).Where(part => part.Length > 0));

        string Of(Func<UpgradeSituation, string> what, string separator)
        {
            string[] here = [.. these.Select(what).Distinct()];
            return here.Length == every.Select(what).Distinct().Count() ? "" : string.Join(separator, here);
        }
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 4)]
    [InlineData(3, 8)]
    [InlineData(6, 60)]
    [InlineData(100, 60)]
    public void Waits_double_up_to_the_limit(int attempt, int seconds) =>
        new UpgradeOptions().BackoffAfter(attempt).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Fact]
    public void Preflight_that_fails_touches_nothing_and_needs_no_roll_back()
    {
        UpgradeSituation now = new(UpgradeState.Preflight, StepPhase.Accepted, 1, Host, Epoch, UpgradeStrategy.Twin);
        UpgradeDecision decision = UpgradeMachine.Decide(now, new UpgradeEvent.Failed(
            Host, Epoch, UpgradeStep.Preflight, UpgradeFailure.PreflightBlocked, "one CPU only", StepReport.Nothing), Options);
        decision.Effects.OfType<UpgradeEffect.RecordFailure>().Single()
            .ShouldBe(new UpgradeEffect.RecordFailure(UpgradeStep.Preflight, UpgradeFailure.PreflightBlocked, "one CPU only"));
        decision.Command.ShouldBeNull();
    }

    [Fact]
    public void Silence_names_the_host_the_step_and_what_was_waited_for()
    {
        UpgradeDecision unheard = UpgradeMachine.Decide(
            new(UpgradeState.Boot, StepPhase.Commanded, 1, Host, Epoch, UpgradeStrategy.Twin), new UpgradeEvent.DeadlinePassed(), Options);
        UpgradeEffect.RecordFailure failure = unheard.Effects.OfType<UpgradeEffect.RecordFailure>().Single();
        failure.Failure.ShouldBe(UpgradeFailure.HostAgentSilent);
        failure.Step.ShouldBe(UpgradeStep.Boot);
        failure.Reason.ShouldBe("host h1 did not accept Boot within 30 s; see that its agent runs and reaches the broker");

        UpgradeDecision unfinished = UpgradeMachine.Decide(
            new(UpgradeState.Boot, StepPhase.Accepted, 1, Host, Epoch, UpgradeStrategy.Twin), new UpgradeEvent.DeadlinePassed(), Options);
        unfinished.Effects.OfType<UpgradeEffect.RecordFailure>().Single().Reason
            .ShouldBe("host h1 accepted Boot but reported no result within 30 s");
    }

    [Theory]
    [InlineData(UpgradeStrategy.Twin, 60)]
    [InlineData(UpgradeStrategy.Kexec, 180)]
    [InlineData(UpgradeStrategy.Reboot, 180)]
    public void A_cut_over_in_which_a_boot_lies_has_the_time_for_it(UpgradeStrategy strategy, int seconds)
    {
        UpgradeSituation now = new(UpgradeState.CutOver, StepPhase.Commanded, 1, Host, Epoch, strategy);
        UpgradeMachine.Decide(now, new UpgradeEvent.Accepted(Host, Epoch, UpgradeStep.CutOver), Options)
            .Deadline.ShouldBe(TimeSpan.FromSeconds(seconds) + Options.Grace);
    }

    [Fact]
    public void A_host_that_chose_what_was_not_asked_for_is_told()
    {
        UpgradeSituation now = new(UpgradeState.Preflight, StepPhase.Accepted, 1, Host, Epoch, UpgradeStrategy.Twin);
        UpgradeDecision decision = UpgradeMachine.Decide(now, new UpgradeEvent.Completed(
            Host, Epoch, UpgradeStep.Preflight, StepReport.Nothing with { Strategy = UpgradeStrategy.Reboot }), Options);
        decision.Effects.OfType<UpgradeEffect.RecordFailure>().Single().Reason
            .ShouldBe("strategy Twin was asked for and host h1 chose Reboot: its agent is of another release");
    }
}
