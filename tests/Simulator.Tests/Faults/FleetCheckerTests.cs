namespace TwinKernel.Fleet.Simulator.Tests.Faults;

/// <summary>The checker finds each thing that must not be, in an account that is all right but for it.</summary>
public sealed class FleetCheckerTests
{
    private static readonly string[] Steps = ["Preflight", "Reserve", "Load", "Boot", "Standby", "Transfer", "CutOver", "Probation", "Commit"];
    private static readonly Guid First = Guid.NewGuid();
    private static readonly Guid Second = Guid.NewGuid();
    private static readonly Guid Third = Guid.NewGuid();

    /// <summary>h1/a, then h1/b, which is rolled back from Boot and succeeds the second time. At most one on a host.</summary>
    private static Evidence Good() => new()
    {
        Log =
        [
            .. Done(First, "a", 1, 1000, Steps), .. Done(Second, "b", 1, 2000, [.. Steps[..3], "Boot!", "RollBack"]), .. Done(Third, "b", 2, 3000, Steps),
        ],
        Rows = new FleetRows
        {
            RolloutState = "Completed",
            Waves = 1,
            Upgrades = [new(First, "h1/a", "Completed", true), new(Second, "h1/b", "RolledBack", true), new(Third, "h1/b", "Completed", true)],
            Steps =
            [
                .. Rows(First, Steps), .. Rows(Second, [.. Steps[..3], "RollBack"]), new StepRow(Second, "Boot", "Failed"), .. Rows(Third, Steps),
            ],
            Audit =
            [
                new("ann", "create", "r", false), new("ann", "start", "r", false), new("coordinator", "wave-ended", "r", true), new("coordinator", "settled", "r", true),
                .. ((string[])["h1/a", "h1/b", "h1/b"]).Select(guest => new AuditRow("coordinator", "upgrade-ended", guest, true)),
            ],
            Members = [("h1/a", "Succeeded"), ("h1/b", "Succeeded")],
            Leases = [],
            Unsent = [],
        },
        Ceilings = [new Ceiling("host", 1, line => line.Host)],
        Deeds = [new("ann", "create", "r"), new("ann", "start", "r")],
        Image = "new",
    };

    [Fact]
    public void What_is_all_right_is_found_to_be() => FleetChecker.Violations(Good()).ShouldBeEmpty();

    public static TheoryData<string, string> Wrongs() => new()
    {
        { "a guest is given to a new kernel twice", "twice: h1/a was given" },
        { "a commit of a rolled back upgrade", "twice: upgrade" },
        { "a completed upgrade without a commit", "never committed" },
        { "another image", "twice: h1/a was given to image other" },
        { "two upgrades of a guest at once", "before" },
        { "an epoch again", "took epoch 1 after 1" },
        { "an upgrade of which no row tells", "which no row knows" },
        { "two on a host at once", "limit: 2 upgrades at once in host h1" },
        { "a place that is still taken", "leaked: the place of h1/a" },
        { "a command that was not sent", "outbox:" },
        { "a message that nobody could take", "dead letter:" },
        { "a rollout that does not end", "stuck: the rollout is Running" },
        { "an upgrade that does not end", "stuck: upgrade" },
        { "a guest that waits", "stuck: h1/b is Waiting" },
        { "a step without a result", "has no result" },
        { "an act without an entry", "audit: ann did start to r 1 times, and 0" },
        { "an act with two entries", "audit: ann did start to r 1 times, and 2" },
        { "an entry without an act", "audit: nobody did abort" },
        { "an upgrade whose end is not told", "audit: 2 upgrades of h1/b ended, and 1 entries" },
        { "a wave whose end is not told", "audit: 1 waves, and 0 entries say wave-ended" },
        { "an upgrade without steps", "has no step" },
        { "a step that runs for ever", "is Running, and its upgrade" },
        { "a success that the host never had", "its host never said so" },
        { "a completed upgrade that left a step out", "is Completed without Transfer" },
    };

    [Theory]
    [MemberData(nameof(Wrongs))]
    public void What_is_wrong_is_found(string wrong, string found)
    {
        Evidence good = Good();
        FleetRows rows = good.Rows;
        Evidence bad = wrong switch
        {
            "a guest is given to a new kernel twice" => good with { Log = [.. good.Log, Line(1999, "Changed", "a", First, 1, "Commit") with { Image = "new" }] },
            "a commit of a rolled back upgrade" => good with { Log = [.. good.Log.Where(line => line.Upgrade != Third), Line(2999, "Changed", "b", Second, 1, "Commit") with { Image = "new" }] },
            "a completed upgrade without a commit" => good with { Log = [.. good.Log.Where(line => line.Word != "Changed" || line.Upgrade != First)] },
            "another image" => good with { Log = [.. good.Log.Select(line => line.Upgrade == First && line.Image is not null ? line with { Image = "other" } : line)] },
            "two upgrades of a guest at once" => good with { Log = Moved(good, Third, -975), Ceilings = [] },
            "an epoch again" => good with { Log = [.. good.Log.Select(line => line.Upgrade == Third ? line with { Epoch = 1 } : line)] },
            "an upgrade of which no row tells" => good with { Log = [.. good.Log, .. Done(Guid.NewGuid(), "c", 1, 5000, Steps)] },
            "two on a host at once" => good with { Log = Moved(good, Second, -950) },
            "a place that is still taken" => good with { Rows = rows with { Leases = ["h1/a"] } },
            "a command that was not sent" => good with { Rows = rows with { Unsent = ["twinfleet.host.h1 Commit"] } },
            "a message that nobody could take" => good with { Rows = rows with { DeadLetters = ["1 in a queue"] } },
            "a rollout that does not end" => good with { Rows = rows with { RolloutState = "Running" } },
            "an upgrade that does not end" => good with { Rows = rows with { Upgrades = [rows.Upgrades[0] with { State = "Commit", Ended = false }, .. rows.Upgrades.Skip(1)] } },
            "a guest that waits" => good with { Rows = rows with { Members = [rows.Members[0], ("h1/b", "Waiting")] } },
            "a step without a result" => good with { Log = [.. good.Log.Where(line => line is not { Word: "Finished", Step: "Commit" } || line.Upgrade != Third)] },
            "an act without an entry" => good with { Rows = rows with { Audit = [.. rows.Audit.Where(entry => entry.Act != "start")] } },
            "an act with two entries" => good with { Rows = rows with { Audit = [.. rows.Audit, rows.Audit[1]] } },
            "an entry without an act" => good with { Rows = rows with { Audit = [.. rows.Audit, new("eve", "abort", "r", false)] } },
            "an upgrade whose end is not told" => good with { Rows = rows with { Audit = [.. rows.Audit.SkipLast(1)] } },
            "a wave whose end is not told" => good with { Rows = rows with { Audit = [.. rows.Audit.Where(entry => entry.Act != "wave-ended")] } },
            "an upgrade without steps" => good with { Rows = rows with { Steps = [.. rows.Steps.Where(step => step.Upgrade != Second)] } },
            "a step that runs for ever" => good with { Rows = rows with { Steps = [.. rows.Steps.Select(step => step.State == "Failed" ? step with { State = "Running" } : step)] } },
            "a success that the host never had" => good with { Rows = rows with { Steps = [.. rows.Steps.Select(step => step.State == "Failed" ? step with { State = "Succeeded" } : step)] } },
            "a completed upgrade that left a step out" => good with { Rows = rows with { Steps = [.. rows.Steps.Where(step => step.Step != "Transfer")] } },
            _ => throw new ArgumentOutOfRangeException(nameof(wrong)),
        };
        FleetChecker.Violations(bad).ShouldContain(violation => violation.Contains(found, StringComparison.Ordinal));
    }

    /// <param name="upgrade">Its id.</param>
    /// <param name="guest">On host h1.</param>
    /// <param name="epoch">Of the guest.</param>
    /// <param name="from">When it begins.</param>
    /// <param name="steps">One behind which there is a <c>!</c> fails.</param>
    private static IEnumerable<AgentLine> Done(Guid upgrade, string guest, long epoch, long from, string[] steps) => steps.SelectMany((name, at) =>
    {
        string step = name.TrimEnd('!');
        IEnumerable<AgentLine> lines = [Line(from + (at * 10), "Accepted", guest, upgrade, epoch, step), Line(from + (at * 10) + 1, "Began", guest, upgrade, epoch, step)];
        IEnumerable<AgentLine> changed = step == "Commit" ? [Line(from + (at * 10) + 7, "Changed", guest, upgrade, epoch, step) with { Image = "new" }] : [];
        return lines.Concat(changed).Append(Line(from + (at * 10) + 8, "Finished", guest, upgrade, epoch, step) with { Succeeded = step == name });
    });

    private static AgentLine Line(long at, string word, string guest, Guid upgrade, long epoch, string step) => new(at, word, "h1", guest, upgrade, epoch, step);

    private static IEnumerable<StepRow> Rows(Guid upgrade, string[] steps) => steps.Select(step => new StepRow(upgrade, step, "Succeeded"));

    private static IReadOnlyList<AgentLine> Moved(Evidence evidence, Guid upgrade, long by) =>
        [.. evidence.Log.Select(line => line.Upgrade == upgrade ? line with { At = line.At + by } : line)];
}
