using FsCheck;
using FsCheck.Fluent;
using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Tests.Planning;

public sealed class PlanProperties
{
    [Fact]
    public void Should_put_every_selected_guest_into_exactly_one_wave() => Check(120, (form, fleet, plan) =>
    {
        GuestId[] planned = [.. plan.Waves.SelectMany(wave => wave.Guests).Select(guest => guest.Id)];
        planned.ShouldBeUnique();
        planned.ShouldBe(fleet.Guests.Where(guest => Selected(form, guest)).Select(guest => guest.Id), ignoreOrder: true);
        plan.Waves.Count(wave => wave.IsCanary).ShouldBeLessThanOrEqualTo(1);
        plan.Waves.Skip(1).ShouldAllBe(wave => !wave.IsCanary);
        plan.Waves.ShouldAllBe(wave => wave.Guests.Count > 0);

        /* Guests, by the rule of their wave. */
        int selected = planned.Length;
        foreach (PlannedWave wave in plan.Waves)
        {
            switch (wave.Rule.Size)
            {
                case WaveSize.Count count:
                    wave.Guests.Count.ShouldBeLessThanOrEqualTo(count.Guests);
                    break;
                case WaveSize.Percent percent:
                    wave.Guests.Count.ShouldBeLessThanOrEqualTo(Math.Max(1, selected * percent.Value / 100));
                    break;
                case WaveSize.Label label:
                    wave.Guests.ShouldAllBe(guest => label.Selector.Matches(fleet.Guests.First(one => one.Id == guest.Id).Labels));
                    break;
            }
        }
    });

    [Fact]
    public void Should_be_the_same_plan_whatever_order_the_guests_come_in() => Check(60, (form, fleet, plan) =>
    {
        Plan again = SampleFleet.Plan(form, fleet with { Guests = [.. fleet.Guests.OrderBy(guest => guest.Id.GetHashCode())] });
        again.Hash.ShouldBe(plan.Hash);
        again.Shape().ShouldBe(plan.Shape());
        again.EndsAt.ShouldBe(plan.EndsAt);
        again.Waves.SelectMany(wave => wave.Guests).Select(guest => guest.StartsAt)
            .ShouldBe(plan.Waves.SelectMany(wave => wave.Guests).Select(guest => guest.StartsAt));
    });

    [Fact]
    public void Should_upgrade_all_that_is_not_blocked_wave_after_wave_within_windows_and_limits() => Check(120, (form, fleet, plan) =>
    {
        WindowSet windows = new([.. (form.Windows ?? []).Select(Windows.MaintenanceWindowTests.Read)], []);
        Instant begin = SampleFleet.Now;
        HashSet<GuestId> healed = [];
        foreach (PlannedWave wave in plan.Waves)
        {
            PlannedGuest[] upgraded = [.. wave.Guests.Where(guest => guest.Blockers.Count == 0)];
            wave.Guests.ShouldAllBe(guest => guest.Blockers.Count == 0 == guest.StartsAt.HasValue);
            foreach (PlannedGuest guest in upgraded)
            {
                guest.StartsAt!.Value.ShouldBeGreaterThanOrEqualTo(begin);
                guest.EndsAt.ShouldBe(guest.StartsAt + guest.Predicted);
                windows.Fits(guest.StartsAt.Value, guest.Predicted, guest.PredictedRollback).Now.ShouldBeTrue();
                MayRun(form, fleet, wave, guest, healed);
            }

            begin = wave.EndsAt ?? begin;
            healed.UnionWith(upgraded.Select(guest => guest.Id));
        }

        plan.EndsAt.ShouldBe(plan.Waves.Max(wave => wave.EndsAt));
    });

    [Fact]
    public void Should_plan_ten_thousand_guests()
    {
        GuestSnapshot[] guests = [.. Enumerable.Range(0, 10_000).Select(at => SampleFleet.Guest(at) with
        {
            SeenUpgrades = [.. Enumerable.Repeat(Duration.FromSeconds(60 + at % 97), 5)],
        })];
        Plan plan = SampleFleet.Plan(
            new()
            {
                Selector = "*",
                Canary = new() { Count = 1 },
                Waves = [new() { Percent = 10 }, new() { Percent = 40, MaxConcurrent = "100" }],
                Windows = ["daily 02:00 Europe/Berlin for 3h"],
                Limits = [new() { Layer = "fleet", MaxConcurrent = "5%" }, new() { Layer = "host", MaxConcurrent = "1" }, new() { Layer = "zone", MinHealthyPercent = 90 }],
            },
            SampleFleet.Of(guests));
        plan.Waves.Sum(wave => wave.Guests.Count).ShouldBe(10_000);
        plan.Waves.SelectMany(wave => wave.Guests).ShouldAllBe(guest => guest.EndsAt != null);
    }

    /// <summary>When the guest starts, with those that run then, no limit is exceeded.</summary>
    private static void MayRun(RolloutForm form, FleetSnapshot fleet, PlannedWave wave, PlannedGuest guest, HashSet<GuestId> healed)
    {
        Instant now = guest.StartsAt!.Value;
        HashSet<GuestId> running = [.. wave.Guests.Where(one => one.StartsAt <= now && now < one.EndsAt).Select(one => one.Id)];
        HashSet<GuestId> healthy =
        [
            .. healed, .. fleet.Guests.Where(one => one.Healthy).Select(one => one.Id), .. wave.Guests.Where(one => one.EndsAt <= now).Select(one => one.Id),
        ];
        if (wave.Rule.MaxConcurrent is { } most)
        {
            running.Count.ShouldBeLessThanOrEqualTo(most.Of(wave.Guests.Count));
        }

        foreach ((int at, LimitForm limitForm) in (form.Limits ?? []).Index())
        {
            LayerLimit limit = limitForm.Read($"limits[{at}]", new List<Violation>())!;
            FleetMember own = Member(fleet.Guests.First(one => one.Id == guest.Id));
            GuestId[] group = [.. fleet.Guests.Where(one => LayerLimit.GroupOf(limit.Layer, Member(one)) == LayerLimit.GroupOf(limit.Layer, own)).Select(one => one.Id)];
            group.Count(running.Contains).ShouldBeLessThanOrEqualTo(limit.MaxConcurrent?.Of(group.Length) ?? int.MaxValue);
            (group.Count(one => healthy.Contains(one) && !running.Contains(one)) * 100).ShouldBeGreaterThanOrEqualTo(limit.MinHealthyPercent * group.Length);
        }
    }

    private static FleetMember Member(GuestSnapshot guest) => new(guest.Id, guest.Labels, guest.Healthy);

    private static bool Selected(RolloutForm form, GuestSnapshot guest) =>
        form.Selector == "*" || guest.Labels["pool"] == "web" || (form.Guests ?? []).Contains(guest.Id.ToString());

    private static void Check(int tests, Action<RolloutForm, FleetSnapshot, Plan> holds) =>
        Prop.ForAll(Forms().ToArbitrary(), Fleets().ToArbitrary(), (form, fleet) => holds(form, fleet, SampleFleet.Plan(form, fleet)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(tests));

    private static Gen<FleetSnapshot> Fleets() =>
        from guests in Gen.Choose(1, 30)
        from changes in (
            from at in Gen.Choose(0, 29)
            from kind in Gen.Choose(0, 6)
            select (at, kind)).ListOf()
        select SampleFleet.Of([.. SampleFleet.Guests(guests).Select((guest, at) => changes.Where(change => change.at == at).Aggregate(guest, Change))]);

    private static GuestSnapshot Change(GuestSnapshot guest, (int At, int Kind) change) => change.Kind switch
    {
        0 => guest with { HostOnline = false },
        1 => guest with { Healthy = false },
        2 => guest with { ImageDigest = SampleFleet.Image.Digest },
        3 => guest with { State = GuestState.Stopped },
        4 => guest with { CpusPresent = 1 },
        5 => guest with { SeenUpgrades = [.. Enumerable.Repeat(Duration.FromMinutes(change.At + 1), 5)] },
        _ => guest with { SeenUpgrades = [.. Enumerable.Repeat(Duration.FromHours(change.At + 1), 5)] },
    };

    private static Gen<RolloutForm> Forms()
    {
        Gen<WaveForm> sizes = Gen.OneOf(
            Gen.Choose(1, 8).Select(count => new WaveForm { Count = count }), Gen.Choose(1, 25).Select(percent => new WaveForm { Percent = percent }));
        Gen<WaveForm> wave =
            from size in sizes
            from most in Gen.Elements(null, "1", "3", "40%")
            from settle in Gen.Elements(null, "15m", "2d")
            select size with { MaxConcurrent = most, Settle = settle };
        Gen<LimitForm> limit = Gen.Elements<LimitForm>(
            new() { Layer = "fleet", MaxConcurrent = "20%" },
            new() { Layer = "host", MaxConcurrent = "1" },
            new() { Layer = "zone", MaxConcurrent = "2", MinHealthyPercent = 60 },
            new() { Layer = "fleet", MinHealthyPercent = 80 },
            new() { Layer = "pool", MaxConcurrent = "50%" });
        return from selector in Gen.Elements("*", "pool=web")
               from listed in Gen.Elements<string[]?>(null, ["h00/g000"])
               from canary in Gen.OneOf(Gen.Constant<WaveForm?>(null), wave.Select(one => (WaveForm?)one))
               from count in Gen.Choose(0, 3)
               from waves in wave.ListOf(count)
               from labelled in Gen.Elements(true, false)
               from limits in limit.ListOf(2)
               from windows in Gen.Elements<string[]?>(null, ["daily 12:00 UTC for 1h"], ["Saturday 11:30 UTC for 4h", "second Tuesday 02:00 Europe/Berlin for 12h"])
               select new RolloutForm
               {
                   Selector = selector,
                   Guests = listed,
                   Canary = canary,
                   Waves = labelled ? [.. waves, new WaveForm { Label = "pool=web" }] : [.. waves],
                   Limits = [.. limits],
                   Windows = windows,
               };
    }
}
