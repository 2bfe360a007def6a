using System.Globalization;
using System.Text;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Tests.Harness;

namespace TwinKernel.Fleet.Coordinator.Tests.Rollouts;

/// <summary>Every (situation, event) pair: what holds for each of them, and docs/rollout-states.md, which is written from them.</summary>
public sealed class RolloutMachineTests
{
    private const int Waves = 3;

    private static readonly RolloutEvent[] Events =
    [
        new RolloutEvent.Approve(TimeSpan.FromHours(1)), new RolloutEvent.Start(), new RolloutEvent.Pause(), new RolloutEvent.Resume(),
        new RolloutEvent.Promote(), new RolloutEvent.Retry(), new RolloutEvent.Cancel(), new RolloutEvent.Abort(), new RolloutEvent.TooManyFailed(),
        new RolloutEvent.Undo(UndoScope.Wave), new RolloutEvent.Undo(UndoScope.Rollout), new RolloutEvent.DeadlinePassed(), new RolloutEvent.WaveEnded(),
        new RolloutEvent.GatesPassed(), new RolloutEvent.WindowClosed(TimeSpan.FromHours(2)), new RolloutEvent.WindowClosed(null),
        new RolloutEvent.WindowOpened(), new RolloutEvent.Idle(), new RolloutEvent.UndoEnded(true), new RolloutEvent.UndoEnded(false),
    ];

    private static readonly RolloutState[] Pausable =
        [RolloutState.Running, RolloutState.WaitingForWindow, RolloutState.Settling, RolloutState.Gating, RolloutState.AwaitingPromotion];

    /// <summary>What lies around a decision besides the state.</summary>
    private sealed record Around(bool Gated, bool ByHand, bool Last)
    {
        public WavePassage Passage => new(TimeSpan.FromSeconds(30), Gated, ByHand);

        public IEnumerable<string> Words => [Gated ? "gates" : "no gates", ByHand ? "by hand" : "not by hand", Last ? "last wave" : "not the last wave"];
    }

    private static readonly Around[] Arounds =
        [.. from gated in (bool[])[false, true] from byHand in (bool[])[false, true] from last in (bool[])[false, true] select new Around(gated, byHand, last)];

    /// <summary>All that can be: what a pause goes back to and what an end is are there where they belong.</summary>
    private static IEnumerable<RolloutSituation> Situations(RolloutState state, Around around)
    {
        int wave = state is RolloutState.AwaitingApproval or RolloutState.Ready ? 0 : around.Last ? Waves : 1;
        return state switch
        {
            RolloutState.Paused => Pausable.Select(one => new RolloutSituation(state, wave, Waves, PausedIn: one)),
            RolloutState.Stopping => ((RolloutState[])[RolloutState.Stopped, RolloutState.Cancelled, RolloutState.Failed])
                .Select(one => new RolloutSituation(state, wave, Waves, EndsAs: one)),
            _ => [new RolloutSituation(state, wave, Waves)],
        };
    }

    [Fact]
    public void Every_pair_is_handled_or_ignored_by_name_and_keeps_what_must_hold()
    {
        int handled = 0;
        HashSet<IgnoredRolloutEvent> names = [];
        foreach (RolloutState state in Enum.GetValues<RolloutState>())
        {
            foreach (Around around in Arounds)
            {
                foreach (RolloutSituation now in Situations(state, around))
                {
                    foreach (RolloutEvent what in Events)
                    {
                        RolloutDecision decision = RolloutMachine.Decide(now, what, around.Passage);
                        string pair = $"{now} × {what}, {around}";
                        if (decision.Ignored is { } ignored)
                        {
                            names.Add(ignored);
                            decision.ShouldBe(new RolloutDecision(now, ignored), pair);
                        }
                        else
                        {
                            handled++;
                            Holds(now, decision, pair);
                        }
                    }
                }
            }
        }

        handled.ShouldBeGreaterThan(500);
        names.ShouldBe(Enum.GetValues<IgnoredRolloutEvent>(), ignoreOrder: true);
    }

    private static void Holds(RolloutSituation before, RolloutDecision decision, string pair)
    {
        RolloutSituation next = decision.Next;
        before.Ended.ShouldBeFalse(pair);
        (next.PausedIn is not null).ShouldBe(next.State == RolloutState.Paused, pair);
        (next.EndsAs is not null).ShouldBe(next.State == RolloutState.Stopping, pair);
        next.Waves.ShouldBe(before.Waves, pair);
        next.Wave.ShouldBeInRange(before.Wave, before.Wave + 1, pair);
        decision.Effects.HasFlag(RolloutEffects.BeginWave).ShouldBe(next.Wave != before.Wave, pair);

        // Only an end lets go of the guests, and every end does.
        decision.Effects.HasFlag(RolloutEffects.Release).ShouldBe(next.Ended, pair);
        if (next.Ended)
        {
            decision.Deadline.ShouldBeNull(pair);
        }

        // Whoever waits for a time has one, and no wave is begun while something else than guests is waited for.
        if (next.State == RolloutState.Settling && before.State != RolloutState.Settling)
        {
            decision.Deadline.ShouldNotBeNull(pair);
        }

        // From a roll-back or an end there is no way to a further wave.
        if (before.State is RolloutState.RollingBack or RolloutState.Stopping)
        {
            next.State.ShouldBeOneOf(
                RolloutState.RollingBack, RolloutState.Stopping, RolloutState.RolledBack, RolloutState.Failed, RolloutState.Stopped, RolloutState.Cancelled);
        }
    }

    [Fact]
    public void From_every_state_an_abort_leads_to_an_end()
    {
        foreach (RolloutState state in Enum.GetValues<RolloutState>())
        {
            foreach (RolloutSituation now in Situations(state, Arounds[0]).Where(one => !one.Ended))
            {
                RolloutSituation aborted = RolloutMachine.Decide(now, new RolloutEvent.Abort(), Arounds[0].Passage).Next;
                (aborted.Ended ? aborted : RolloutMachine.Decide(aborted, new RolloutEvent.Idle(), Arounds[0].Passage).Next)
                    .State.ShouldBe(RolloutState.Stopped, now.ToString());
            }
        }
    }

    [Fact]
    public void The_documents_table_is_what_the_code_does() => WrittenDocument.ShouldBe("rollout-states.md", Document());

    private static string Document()
    {
        StringBuilder text = new(
            """
            # States of a rollout

            Written from [RolloutMachine](../src/Coordinator/Rollouts/RolloutMachine.cs) by its test; do not edit. Every event is there
            for every state: either it leads somewhere, or it is ignored under the name in parentheses.


            """);
        foreach (RolloutState state in Enum.GetValues<RolloutState>())
        {
            List<string> rows = [];
            List<string> ignored = [];
            foreach (RolloutEvent what in Events)
            {
                List<(string Outcome, Around Around, string Extra)> outcomes =
                [
                    .. from around in Arounds
                       from now in Situations(state, around)
                       let decision = RolloutMachine.Decide(now, what, around.Passage)
                       select (Outcome(decision), around, Extra(now)),
                ];
                if (outcomes.TrueForAll(one => one.Outcome[0] == '('))
                {
                    ignored.Add($"{Name(what)} {outcomes[0].Outcome}");
                    outcomes.ShouldAllBe(one => one.Outcome == outcomes[0].Outcome);
                    continue;
                }

                foreach (IGrouping<string, (string Outcome, Around Around, string Extra)> same in outcomes.GroupBy(one => one.Outcome))
                {
                    rows.Add($"| {Name(what)} | {When(same.ToList(), outcomes)} | {same.Key} |");
                }
            }

            text.AppendLine(CultureInfo.InvariantCulture, $"## {state}").AppendLine();
            if (rows.Count > 0)
            {
                text.AppendLine("| Event | When | Leads to |").AppendLine("|---|---|---|");
                rows.ForEach(row => text.AppendLine(row));
                text.AppendLine();
            }

            text.AppendLine(CultureInfo.InvariantCulture, $"Ignored: {string.Join(", ", ignored)}.").AppendLine();
        }

        return text.ToString().TrimEnd() + "\n";
    }

    private static string Name(RolloutEvent what) => what switch
    {
        RolloutEvent.Undo undo => $"Undo {undo.Scope}",
        RolloutEvent.WindowClosed closed => closed.OpensIn is null ? "WindowClosed for good" : "WindowClosed",
        RolloutEvent.UndoEnded ended => ended.Whole ? "UndoEnded, all" : "UndoEnded, not all",
        _ => what.GetType().Name,
    };

    private static string Outcome(RolloutDecision decision) => decision.Ignored is { } ignored
        ? $"({ignored})"
        : string.Join("; ", ((string[])
        [
            decision.Next.State.ToString(),
            decision.Effects == RolloutEffects.None ? "" : decision.Effects.ToString(),
            decision.Deadline is null ? "" : "with a deadline",
        ]).Where(part => part.Length > 0));

    private static string Extra(RolloutSituation now) => now switch
    {
        { PausedIn: { } from } => $"paused in {from}",
        { EndsAs: { } end } => $"ending as {end}",
        _ => "",
    };

    /// <summary>What all cases of one outcome have in common and not all cases have.</summary>
    private static string When(List<(string Outcome, Around Around, string Extra)> same, List<(string Outcome, Around Around, string Extra)> all)
    {
        if (same.Count == all.Count)
        {
            return "";
        }

        string[] extras = [.. same.Select(one => one.Extra).Distinct()];
        string[] words = [.. all.SelectMany(one => one.Around.Words).Distinct().Where(word => same.TrueForAll(one => one.Around.Words.Contains(word)))];
        return string.Join(", ", (extras.Length < all.Select(one => one.Extra).Distinct().Count() ? [string.Join(" or ", extras)] : Array.Empty<string>()).Concat(words));
    }
}
