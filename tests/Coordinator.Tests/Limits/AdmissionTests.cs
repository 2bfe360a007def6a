using FsCheck;
using FsCheck.Fluent;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Tests.Limits;

public sealed class AdmissionTests
{
    private static readonly GuestId[] _guests = [.. Enumerable.Range(0, 6).Select(at => new GuestId($"h{at / 2}", $"g{at}"))];

    [Fact]
    public void Should_admit_all_without_limits()
    {
        AdmissionDecision decision = Admission.Decide([Scope([])], _guests);
        decision.Admitted.ShouldBe(_guests);
        decision.NotAdmitted.ShouldBeEmpty();
    }

    [Fact]
    public void Should_say_in_one_sentence_why_a_guest_waits()
    {
        Why([Most(LimitLayer.Fleet, "1")], _guests[1]).ShouldBe("At most 1 may be upgraded at once in the fleet, and 1 is.");
        Why([Most(LimitLayer.Fleet, "33%")], _guests[1]).ShouldBe("At most 1 (33% of 6) may be upgraded at once in the fleet, and 1 is.");
        Why([Most(LimitLayer.Host, "1")], _guests[1]).ShouldBe("At most 1 may be upgraded at once in host h0, and 1 is.");
        Why([Most(LimitLayer.Host, "1")], _guests[2]).ShouldBeNull();
        Why([Most(LimitLayer.Host, "1", "h1")], _guests[1]).ShouldBeNull();
        Why([Most(LimitLayer.Zone, "0", "b")], _guests[1]).ShouldBe("At most 0 may be upgraded at once in zone b, and 1 is.");
        Why([Most(LimitLayer.Pool, "1")], _guests[1]).ShouldBe("At most 1 may be upgraded at once in the guests without a pool, and 1 is.");
        Why([Healthy(LimitLayer.Host, 50)], _guests[1]).ShouldBe(
            "With one more being upgraded too few would be left: at least 1 of the 2 guests of host h0 (50%) must stay healthy, and 1 is.");
        Why([Healthy(LimitLayer.Host, 60)], _guests[2]).ShouldBe(
            "None may ever be upgraded in host h1: at least 2 of the 2 guests of host h1 (60%) must stay healthy.");
        Why([], _guests[0]).ShouldBe("h0/g0 is being upgraded already.");
        Why([], new GuestId("h9", "g9")).ShouldBe("h9/g9 is no guest of the fleet.");

        string? Why(LayerLimit[] limits, GuestId candidate) =>
            Admission.Decide([Scope(limits, _guests[0])], [candidate]).NotAdmitted.SingleOrDefault()?.Why;
    }

    [Fact]
    public void Should_tell_what_waiting_does_not_help()
    {
        Never(Most(LimitLayer.Fleet, "1")).ShouldBeFalse();
        Never(Most(LimitLayer.Fleet, "0")).ShouldBeTrue();
        Never(Healthy(LimitLayer.Host, 50)).ShouldBeFalse();
        Never(Healthy(LimitLayer.Host, 51)).ShouldBeTrue();

        static bool Never(LayerLimit limit) => Admission.Decide([Scope([limit], _guests[0])], [_guests[1]]).NotAdmitted.Single().Never;
    }

    [Fact]
    public void Should_ask_all_scopes_and_count_only_what_all_admit()
    {
        AdmissionScope wave = AdmissionScope.OfWave("wave 2", Amount.Count(2), [.. _guests[..4].Select(guest => Member(guest, true))], []);
        AdmissionDecision decision = Admission.Decide([wave, Scope([Most(LimitLayer.Host, "1")])], [.. _guests, _guests[0]]);
        decision.Admitted.ShouldBe([_guests[0], _guests[2]]);
        decision.NotAdmitted.Select(one => one.Why).ShouldBe([
            "At most 1 may be upgraded at once in host h0, and 1 is.",
            "At most 2 may be upgraded at once in wave 2, and 2 are.",
            "h2/g4 is no guest of wave 2.",
            "h2/g5 is no guest of wave 2.",
            "h0/g0 is being upgraded already.",
        ]);
    }

    [Fact]
    public void Should_admit_a_guest_that_is_down_without_counting_it_as_lost()
    {
        AdmissionScope scope = new()
        {
            Limits = [Healthy(LimitLayer.Fleet, 50)],
            Members = [.. _guests.Select((guest, at) => Member(guest, at > 2))],
            Running = [],
        };
        AdmissionDecision decision = Admission.Decide([scope], [_guests[0], _guests[5], _guests[1]]);
        decision.Admitted.ShouldBe([_guests[0], _guests[1]]);
        decision.NotAdmitted.Single().Why.ShouldBe(
            "With one more being upgraded too few would be left: at least 3 of the 6 guests of the fleet (50%) must stay healthy, and 3 are.");
    }

    [Fact]
    public void Should_wait_while_too_few_are_healthy()
    {
        AdmissionScope scope = new()
        {
            Limits = [Healthy(LimitLayer.Fleet, 50)],
            Members = [.. _guests.Select((guest, at) => Member(guest, at < 1))],
            Running = [],
        };
        Admission.Decide([scope], [_guests[5]]).NotAdmitted.Single().ShouldBe(new NotAdmitted(
            _guests[5],
            "Too few are healthy and not being upgraded: at least 3 of the 6 guests of the fleet (50%) must stay healthy, and 1 is.",
            false));
    }

    [Fact]
    public void Should_never_exceed_a_limit_and_never_refuse_without_one() =>
        Prop.ForAll(Cases().ToArbitrary(), one =>
        {
            AdmissionDecision decision = Admission.Decide([one.Scope], one.Candidates);
            List<GuestId> running = [.. one.Scope.Running];
            int admitted = 0, refused = 0;
            foreach (GuestId candidate in one.Candidates)
            {
                if (decision.Admitted.ElementAtOrDefault(admitted) == candidate && MayStart(one.Scope, running, candidate))
                {
                    admitted++;
                    running.Add(candidate);
                }
                else
                {
                    decision.NotAdmitted[refused].Guest.ShouldBe(candidate);
                    decision.NotAdmitted[refused++].Why.ShouldEndWith(".");
                    MayStart(one.Scope, running, candidate).ShouldBeFalse();
                }
            }

            (admitted, refused).ShouldBe((decision.Admitted.Count, decision.NotAdmitted.Count));
            foreach (NotAdmitted never in decision.NotAdmitted.Where(refusal => refusal.Never))
            {
                /* Not even alone in a healthy fleet. */
                AdmissionScope best = one.Scope with { Running = [], Members = [.. one.Scope.Members.Select(member => member with { Healthy = true })] };
                MayStart(best, [], never.Guest).ShouldBeFalse();
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void Should_keep_its_counts_while_upgrades_start_and_end() =>
        Prop.ForAll(Cases().ToArbitrary(), Gen.Choose(0, 1000).ListOf(30).ToArbitrary(), (one, choices) =>
        {
            AdmissionCount count = new([one.Scope]);
            HashSet<GuestId> running = [.. one.Scope.Running], healed = [];
            GuestId[] members = [.. one.Scope.Members.Select(member => member.Id)];
            foreach (int choice in choices.Where(_ => members.Length > 0))
            {
                GuestId guest = members[choice % members.Length];
                AdmissionScope now = one.Scope with
                {
                    Members = [.. one.Scope.Members.Select(member => member with { Healthy = member.Healthy || healed.Contains(member.Id) })],
                };
                if (running.Remove(guest))
                {
                    count.Succeed(guest);
                    healed.Add(guest);
                }
                else
                {
                    (count.Start(guest, out _) is null).ShouldBe(MayStart(now, running, guest) && running.Add(guest));
                }
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    /// <summary>By counting everything anew, before and after.</summary>
    private static bool MayStart(AdmissionScope scope, IReadOnlyCollection<GuestId> running, GuestId candidate)
    {
        if (running.Contains(candidate) || scope.Members.All(member => member.Id != candidate))
        {
            return false;
        }

        HashSet<GuestId> before = [.. running], after = [.. running, candidate];
        foreach (LayerLimit limit in scope.Limits)
        {
            Func<FleetMember, string?> group = limit.Layer switch
            {
                LimitLayer.Fleet => _ => null,
                LimitLayer.Host => member => member.Id.Host,
                LimitLayer layer => member => member.Labels.GetValueOrDefault(layer.ToString().ToLowerInvariant()),
            };
            string? own = group(scope.Members.First(member => member.Id == candidate));
            if (limit.Name is not null && limit.Name != own)
            {
                continue;
            }

            FleetMember[] members = [.. scope.Members.Where(member => group(member) == own)];
            if (members.Count(member => after.Contains(member.Id)) > (limit.MaxConcurrent?.Of(members.Length) ?? int.MaxValue)
                || new[] { before, after }.Any(busy =>
                    members.Count(member => member.Healthy && !busy.Contains(member.Id)) * 100 < limit.MinHealthyPercent * members.Length))
            {
                return false;
            }
        }

        return true;
    }

    private static Gen<(AdmissionScope Scope, IReadOnlyList<GuestId> Candidates)> Cases()
    {
        Gen<string?> value = Gen.Elements("a", "b", null);
        Gen<FleetMember> member =
            from host in Gen.Elements("h1", "h2", "h3")
            from name in Gen.Choose(1, 8)
            from zone in value
            from rack in value
            from pool in value
            from healthy in Gen.Frequency((4, Gen.Constant(true)), (1, Gen.Constant(false)))
            select new FleetMember(
                new GuestId(host, $"g{name}"),
                new (string Key, string? Value)[] { ("zone", zone), ("rack", rack), ("pool", pool) }
                    .Where(label => label.Value is not null).ToDictionary(label => label.Key, label => label.Value!),
                healthy);
        Gen<LayerLimit> limit =
            from layer in Gen.Elements(Enum.GetValues<LimitLayer>())
            from name in Gen.Elements(null, null, "a", "h1")
            from most in Gen.OneOf(
                Gen.Constant<Amount?>(null),
                Gen.Choose(0, 5).Select(count => (Amount?)Amount.Count(count)),
                Gen.Choose(1, 100).Select(percent => (Amount?)Amount.Percent(percent)))
            from healthy in Gen.Elements(0, 0, 10, 50, 75, 99)
            select new LayerLimit { Layer = layer, Name = layer == LimitLayer.Fleet ? null : name, MaxConcurrent = most, MinHealthyPercent = healthy };
        return from members in member.ListOf()
               let distinct = members.DistinctBy(one => one.Id).ToList()
               from limits in limit.ListOf(3)
               from picks in Gen.Choose(0, 1000).ListOf(4)
               from order in Gen.Choose(0, 1000).ListOf()
               let ids = distinct.Select(one => one.Id).ToList()
               let running = picks.Take(ids.Count / 3).Select(pick => ids[pick % ids.Count]).Distinct().ToList()
               let candidates = order.Select(pick => pick % (ids.Count + 1)).Select(at => at < ids.Count ? ids[at] : new GuestId("h9", "g9")).ToList()
               select (new AdmissionScope { Limits = limits, Members = distinct, Running = running }, (IReadOnlyList<GuestId>)candidates);
    }

    private static AdmissionScope Scope(LayerLimit[] limits, params GuestId[] running) =>
        new() { Limits = limits, Members = [.. _guests.Select(guest => Member(guest, true))], Running = running };

    private static FleetMember Member(GuestId guest, bool healthy) => new(guest, new Dictionary<string, string> { ["zone"] = "b" }, healthy);

    private static LayerLimit Most(LimitLayer layer, string most, string? name = null) =>
        new() { Layer = layer, Name = name, MaxConcurrent = Amount.Parse(most, "", new List<Violation>()) };

    private static LayerLimit Healthy(LimitLayer layer, int percent) => new() { Layer = layer, MinHealthyPercent = percent };
}
