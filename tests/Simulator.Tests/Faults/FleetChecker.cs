namespace TwinKernel.Fleet.Simulator.Tests.Faults;

/// <summary>At most <paramref name="AtOnce"/> guests of a group are upgraded at once.</summary>
internal sealed record Ceiling(string Layer, int AtOnce, Func<AgentLine, string> GroupOf);

/// <summary>What a person did, once.</summary>
internal sealed record Deed(string Actor, string Act, string Subject);

/// <summary>All that is known of a rollout after its end.</summary>
internal sealed record Evidence
{
    /// <summary>What hosts did since the rollout was made.</summary>
    public required IReadOnlyList<AgentLine> Log { get; init; }
    public required FleetRows Rows { get; init; }
    public required IReadOnlyList<Ceiling> Ceilings { get; init; }
    public required IReadOnlyList<Deed> Deeds { get; init; }

    /// <summary>Digest of the image of the rollout.</summary>
    public required string Image { get; init; }
}

/// <summary>
/// Judges a rollout that is over by what the hosts did and what the tables say. Knows nothing of how the coordinator decides, and
/// shares no code with it.
/// </summary>
internal static class FleetChecker
{
    private static readonly string[] Steps = ["Preflight", "Reserve", "Load", "Boot", "Standby", "Transfer", "CutOver", "Probation", "Commit"];
    private static readonly string[] Over = ["Completed", "Stopped", "Cancelled", "RolledBack", "Failed"];
    private static readonly string[] Open = ["Waiting", "Running", "UndoWaiting", "Undoing"];

    /// <summary>Everything that must not be, each in a sentence; empty when all is well.</summary>
    public static IReadOnlyList<string> Violations(Evidence evidence)
    {
        IReadOnlyList<Span> spans = [.. evidence.Log.Where(line => line.Word == "Accepted").GroupBy(line => line.Upgrade).Select(accepted => Span.Of(accepted, evidence.Log))];
        return
        [
            .. Twice(evidence, spans), .. evidence.Ceilings.SelectMany(ceiling => Exceeded(ceiling, spans)), .. Stuck(evidence, spans),
            .. Audit(evidence), .. Journal(evidence),
            .. evidence.Rows.Leases.Select(name => $"leaked: the place of {name} is still taken"),
            .. evidence.Rows.Unsent.Select(what => $"outbox: {what} was never sent"),
            .. evidence.Rows.DeadLetters.Select(what => $"dead letter: {what}"),
        ];
    }

    /// <summary>An upgrade as its host saw it: from the first command to the last result. <see cref="long.MaxValue"/>: a step has none.</summary>
    private sealed record Span(AgentLine First, long To)
    {
        public static Span Of(IEnumerable<AgentLine> accepted, IReadOnlyList<AgentLine> log)
        {
            AgentLine first = accepted.MinBy(line => line.At)!;
            AgentLine[] finished = [.. log.Where(line => line.Word == "Finished" && line.Upgrade == first.Upgrade)];
            bool open = accepted.Any(line => !finished.Any(end => end.Step == line.Step && end.At >= line.At));
            return new Span(first, open ? long.MaxValue : finished.Max(line => line.At));
        }
    }

    private static IEnumerable<string> Twice(Evidence evidence, IReadOnlyList<Span> spans)
    {
        AgentLine[] commits = [.. evidence.Log.Where(line => line is { Word: "Changed", Step: "Commit" })];
        foreach (IGrouping<string, AgentLine> guest in commits.GroupBy(line => line.Name).Where(guest => guest.Count() > 1))
        {
            yield return $"twice: {guest.Key} was given to a new kernel {guest.Count()} times";
        }

        foreach (AgentLine commit in commits.Where(line => line.Image != evidence.Image))
        {
            yield return $"twice: {commit.Name} was given to image {commit.Image}, not to that of the rollout";
        }

        Dictionary<Guid, UpgradeRow> rows = evidence.Rows.Upgrades.ToDictionary(row => row.Id);
        foreach (Guid unknown in spans.Select(span => span.First.Upgrade).Where(id => !rows.ContainsKey(id)))
        {
            yield return $"twice: hosts carried out upgrade {unknown}, which no row knows";
        }

        HashSet<Guid> committed = [.. commits.Select(line => line.Upgrade)];
        foreach (UpgradeRow row in rows.Values.Where(row => row.State is "Completed" or "RolledBack" && committed.Contains(row.Id) != (row.State == "Completed")))
        {
            yield return $"twice: upgrade {row.Id} of {row.Name} is {row.State}, and its host {(committed.Contains(row.Id) ? "committed" : "never committed")}";
        }

        foreach (IGrouping<string, Span> guest in spans.GroupBy(span => span.First.Name))
        {
            Span[] ordered = [.. guest.OrderBy(span => span.First.At)];
            foreach ((Span one, Span next) in ordered.Zip(ordered.Skip(1)).Where(pair => pair.First.To > pair.Second.First.At))
            {
                yield return $"twice: upgrade {next.First.Upgrade} of {guest.Key} began before {one.First.Upgrade} was over";
            }

            foreach ((Span one, Span next) in ordered.Zip(ordered.Skip(1)).Where(pair => pair.First.First.Epoch >= pair.Second.First.Epoch))
            {
                yield return $"twice: {guest.Key} took epoch {next.First.Epoch} after {one.First.Epoch}";
            }
        }
    }

    private static IEnumerable<string> Exceeded(Ceiling ceiling, IReadOnlyList<Span> spans)
    {
        foreach (IGrouping<string, Span> group in spans.GroupBy(span => ceiling.GroupOf(span.First)))
        {
            int now = 0;

            // At the same moment an end comes before a beginning.
            foreach ((long at, int change) in group.SelectMany(span => new[] { (span.First.At, 1), (span.To, -1) }).OrderBy(one => one.Item1).ThenBy(one => one.Item2))
            {
                now += change;
                if (now > ceiling.AtOnce)
                {
                    yield return $"limit: {now} upgrades at once in {ceiling.Layer} {group.Key} at {at} ns; at most {ceiling.AtOnce} may be";
                    break;
                }
            }
        }
    }

    private static IEnumerable<string> Stuck(Evidence evidence, IReadOnlyList<Span> spans)
    {
        if (!Over.Contains(evidence.Rows.RolloutState))
        {
            yield return $"stuck: the rollout is {evidence.Rows.RolloutState}";
        }

        foreach (UpgradeRow row in evidence.Rows.Upgrades.Where(row => !row.Ended))
        {
            yield return $"stuck: upgrade {row.Id} of {row.Name} is {row.State}";
        }

        foreach ((string name, string state) in evidence.Rows.Members.Where(member => Open.Contains(member.State)))
        {
            yield return $"stuck: {name} is {state}";
        }

        foreach (Span span in spans.Where(span => span.To == long.MaxValue))
        {
            yield return $"stuck: a step of upgrade {span.First.Upgrade} of {span.First.Name} has no result";
        }
    }

    /// <summary>Every act has its entry, once; what the rollout did by itself, too; and nobody else did anything.</summary>
    private static IEnumerable<string> Audit(Evidence evidence)
    {
        foreach (Deed deed in evidence.Deeds.Distinct())
        {
            int wanted = evidence.Deeds.Count(one => one == deed);
            int there = evidence.Rows.Audit.Count(entry => entry.Actor == deed.Actor && entry.Act == deed.Act && entry.Subject == deed.Subject);
            if (there != wanted)
            {
                yield return $"audit: {deed.Actor} did {deed.Act} to {deed.Subject} {wanted} times, and {there} entries say so";
            }
        }

        foreach (AuditRow entry in evidence.Rows.Audit.Where(entry => !entry.Own && !evidence.Deeds.Contains(new Deed(entry.Actor, entry.Act, entry.Subject))))
        {
            yield return $"audit: nobody did {entry.Act} to {entry.Subject} as {entry.Actor}";
        }

        foreach (IGrouping<string, UpgradeRow> guest in evidence.Rows.Upgrades.Where(row => row.Ended).GroupBy(row => row.Name))
        {
            int there = evidence.Rows.Audit.Count(entry => entry.Own && entry.Act == "upgrade-ended" && entry.Subject == guest.Key);
            if (there != guest.Count())
            {
                yield return $"audit: {guest.Count()} upgrades of {guest.Key} ended, and {there} entries say so";
            }
        }

        foreach (string act in evidence.Rows.RolloutState == "Completed" ? ["wave-ended", "settled"] : Array.Empty<string>())
        {
            int there = evidence.Rows.Audit.Count(entry => entry.Own && entry.Act == act);
            if (there != evidence.Rows.Waves)
            {
                yield return $"audit: {evidence.Rows.Waves} waves, and {there} entries say {act}";
            }
        }
    }

    /// <summary>The rows of an upgrade's steps say what its host did.</summary>
    private static IEnumerable<string> Journal(Evidence evidence)
    {
        ILookup<Guid, StepRow> steps = evidence.Rows.Steps.ToLookup(step => step.Upgrade);
        HashSet<(Guid, string)> done = [.. evidence.Log.Where(line => line is { Word: "Finished", Succeeded: true }).Select(line => (line.Upgrade, line.Step))];
        foreach (UpgradeRow row in evidence.Rows.Upgrades)
        {
            if (!steps[row.Id].Any())
            {
                yield return $"journal: upgrade {row.Id} of {row.Name} has no step";
            }

            foreach (StepRow step in steps[row.Id].Where(step => step.State == "Running" && row.Ended))
            {
                yield return $"journal: {step.Step} of {row.Name} is Running, and its upgrade {row.Id} is over";
            }

            foreach (StepRow step in steps[row.Id].Where(step => step.State == "Succeeded" && !done.Contains((row.Id, step.Step))))
            {
                yield return $"journal: {step.Step} of upgrade {row.Id} of {row.Name} succeeded, and its host never said so";
            }

            foreach (string step in Steps.Where(step => row.State == "Completed" && !steps[row.Id].Any(one => one.Step == step && one.State == "Succeeded")))
            {
                yield return $"journal: upgrade {row.Id} of {row.Name} is Completed without {step}";
            }
        }
    }
}
