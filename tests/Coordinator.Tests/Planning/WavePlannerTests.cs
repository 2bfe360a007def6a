using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Failures;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Tests.Planning;

public sealed class WavePlannerTests
{
    private static readonly RolloutForm _all = new() { Selector = "*" };

    [Fact]
    public void Should_share_the_guests_out_canary_first_labels_before_counts()
    {
        Plan plan = SampleFleet.Plan(
            new()
            {
                Selector = "pool in (web,db)",
                Canary = new() { Count = 1 },
                Waves = [new() { Percent = 20, Name = "fifth" }, new() { Label = "zone=b" }, new() { Count = 1 }],
            },
            SampleFleet.Of(SampleFleet.Guests(10)));
        plan.Shape().ShouldBe("canary: g000; fifth: g001 g004; wave 2: g002 g003 g006 g007; wave 3: g005; rest: g008 g009");
        plan.Waves.Select(wave => (wave.Index, wave.IsCanary)).ShouldBe([(0, true), (1, false), (2, false), (3, false), (4, false)]);
    }

    [Fact]
    public void Should_plan_a_canary_of_one_host_from_a_list()
    {
        SampleFleet.Plan(new() { Guests = ["h01/g003", "h01/g002", "h01/g003"] }, SampleFleet.Of(SampleFleet.Guests(10)))
            .Shape().ShouldBe("rest: g002 g003");
        SampleFleet.Plan(new() { Selector = "zone=b,pool=db", Guests = ["h00/g000"] }, SampleFleet.Of(SampleFleet.Guests(8)))
            .Shape().ShouldBe("rest: g000 g003 g007");
    }

    [Fact]
    public void Should_leave_out_waves_that_nobody_is_left_for_and_say_so()
    {
        Plan plan = SampleFleet.Plan(
            _all with
            {
                Canary = new() { Label = "zone=a" },
                Waves = [new() { Label = "zone=a", Promotion = "manual" }, new() { Count = 5, Promotion = "manual" }, new() { Percent = 1 }],
            },
            SampleFleet.Of(SampleFleet.Guests(4)));
        plan.Shape().ShouldBe("canary: g000 g001; wave 2: g002 g003");
        plan.Notes.ShouldBe(["Wave 'wave 1' is left out: no guest was left for it.", "Wave 'wave 3' is left out: no guest was left for it."]);
        SampleFleet.Plan(_all with { Canary = new() { Count = 1, Promotion = "manual" } }, SampleFleet.Of(SampleFleet.Guests(4)))
            .Notes.ShouldBe(["After wave 'canary' a person promotes; the times do not hold how long that takes."]);
    }

    [Fact]
    public void Should_take_the_rules_of_the_last_wave_for_the_rest()
    {
        WaveForm wave = new()
        {
            Count = 1,
            Settle = "10m",
            MaxConcurrent = "1",
            Promotion = "manual",
            Gates = [new() { Name = "probe", Kind = "guest-probe", Point = "standby" }],
            Errors = new() { Thresholds = [new() { Percent = 10, Action = "stop" }] },
        };
        PlannedWave rest = SampleFleet.Plan(_all with { Waves = [wave] }, SampleFleet.Of(SampleFleet.Guests(3))).Waves[1];
        rest.Rule.Name.ShouldBe("rest");
        rest.Rule.Settle.ShouldBe(Duration.FromMinutes(10));
        rest.Rule.Promotion.ShouldBe(Promotion.Manual);
        rest.Rule.Gates.Single().Kind.ShouldBe(GateKind.GuestProbe);
        rest.Rule.Errors.Thresholds.Single().ShouldBe(new FailureThreshold(FailureMeasure.Percent, 10, FailureAction.Stop));
        /* One after the other. */
        rest.Guests[1].StartsAt.ShouldBe(rest.Guests[0].EndsAt);
    }

    [Fact]
    public void Should_take_those_that_nothing_blocks_first()
    {
        GuestSnapshot[] guests = SampleFleet.Guests(4);
        guests[0] = guests[0] with { HostOnline = false };
        Plan plan = SampleFleet.Plan(_all with { Canary = new() { Count = 1 } }, SampleFleet.Of(guests));
        plan.Shape().ShouldBe("canary: g001; rest: g002 g003 g000");
        plan.Waves[1].Guests[2].StartsAt.ShouldBeNull();
    }

    [Fact]
    public void Should_name_everything_that_stands_in_the_way()
    {
        GuestSnapshot guest = SampleFleet.Guest(0);
        Blockers(guest with { ImageDigest = SampleFleet.Image.Digest, HostOnline = false }).ShouldBe([BlockerKind.AlreadyOnImage]);
        Blockers(guest with { KernelRelease = "6.12.10" }).ShouldBe([BlockerKind.Downgrade]);
        Blockers(guest with { KernelRelease = "6.12.9-rc1" }).ShouldBeEmpty();
        Blockers(guest with { KernelRelease = "7.2" }, new() { AllowDowngrade = true }).ShouldBeEmpty();
        Blockers(guest with { KernelRelease = "custom" }).ShouldBeEmpty();
        Blockers(guest with { CpusPresent = 1 }).ShouldBe([BlockerKind.OneCpu]);
        Blockers(guest with { CpusPresent = 1 }, new() { Strategy = UpgradeStrategy.Auto }).ShouldBeEmpty();
        Blockers(guest with { Quarantine = "it broke.", HeldBy = "rollout x", HostOnline = false, HostHasImage = false, State = GuestState.Stopped })
            .ShouldBe([BlockerKind.InQuarantine, BlockerKind.HeldByAnother, BlockerKind.HostOffline, BlockerKind.ImageNotOnHost]);
        Blockers(guest with { State = GuestState.Starting }).ShouldBe([BlockerKind.GuestNotRunning]);
        GuestBlockers.Of(new() { RequireProven = true }, SampleFleet.Image with { State = ImageState.Verified }, guest)
            .Single().Kind.ShouldBe(BlockerKind.ImageNotProven);
        GuestBlockers.Of(new(), SampleFleet.Image with { State = ImageState.Denied }, guest)
            .Single().ShouldBe(new Blocker(BlockerKind.ImageDenied, "debian-6.12 is denied.", false));

        static BlockerKind[] Blockers(GuestSnapshot one, RolloutSpec? spec = null)
        {
            IReadOnlyList<Blocker> blockers = GuestBlockers.Of(spec ?? new(), SampleFleet.Image, one);
            blockers.ShouldAllBe(blocker => blocker.Message.EndsWith('.'));
            return [.. blockers.Select(blocker => blocker.Kind)];
        }
    }

    [Fact]
    public void Should_predict_by_what_was_seen()
    {
        Duration[] twenty = [.. Enumerable.Range(1, 20).Select(minutes => Duration.FromMinutes(minutes))];
        DurationPrediction.P95(twenty).ShouldBe(Duration.FromMinutes(19));
        DurationPrediction.P95(twenty[..1]).ShouldBe(Duration.FromMinutes(1));
        DurationPrediction.Upgrade(twenty[..5], DurationPrediction.Upgrade(twenty)).ShouldBe(Duration.FromMinutes(5));
        DurationPrediction.Upgrade(twenty[..4], DurationPrediction.Upgrade(twenty)).ShouldBe(Duration.FromMinutes(19));
        DurationPrediction.Upgrade(twenty[..4], DurationPrediction.Upgrade([])).ShouldBe(DurationPrediction.DefaultUpgrade);
        DurationPrediction.Rollback([]).ShouldBe(DurationPrediction.DefaultRollback);

        GuestSnapshot[] guests = [SampleFleet.Guest(0) with { SeenUpgrades = twenty[..5] }, SampleFleet.Guest(1)];
        Plan plan = SampleFleet.Plan(_all, SampleFleet.Of(guests) with { SeenUpgrades = twenty, SeenRollbacks = twenty[..2] });
        plan.Waves[0].Guests.Select(guest => guest.Predicted).ShouldBe([Duration.FromMinutes(5), Duration.FromMinutes(19)]);
        plan.Waves[0].Guests.ShouldAllBe(guest => guest.PredictedRollback == Duration.FromMinutes(2));
    }

    [Fact]
    public void Should_tell_times_by_windows_limits_and_settle_times()
    {
        /* Ten minutes each and two for a roll-back; two at once, in half an hour after 12:00. */
        Plan plan = SampleFleet.Plan(
            _all with
            {
                Canary = new() { Count = 1, Settle = "1h" },
                Windows = ["daily 12:00 UTC for 30m"],
                Limits = [new() { Layer = "fleet", MaxConcurrent = "2" }],
            },
            SampleFleet.Of(SampleFleet.Guests(6)));
        Instant noon = SampleFleet.Now + Duration.FromHours(1);
        Duration day = Duration.FromDays(1), ten = Duration.FromMinutes(10);
        plan.Waves[0].StartsAt.ShouldBe(noon);
        plan.Waves[0].EndsAt.ShouldBe(noon + ten + Duration.FromHours(1));
        plan.Waves[1].Guests.Select(guest => guest.StartsAt!.Value - noon).ShouldBe([day, day, day + ten, day + ten, day + day]);
        plan.EndsAt.ShouldBe(noon + day + day + ten + Duration.FromHours(1));
    }

    [Fact]
    public void Should_tell_which_guests_would_never_be_upgraded()
    {
        GuestSnapshot[] guests = SampleFleet.Guests(5);
        guests[0] = guests[0] with { SeenUpgrades = [.. Enumerable.Repeat(Duration.FromHours(1), 5)] };
        Plan plan = SampleFleet.Plan(
            _all with { Windows = ["daily 12:00 UTC for 30m"], Limits = [new() { Layer = "host", MinHealthyPercent = 50 }] }, SampleFleet.Of(guests));
        plan.Waves[0].Guests.Where(guest => guest.Blockers.Count > 0)
            .ShouldAllBe(guest => guest.StartsAt == null && guest.EndsAt == null);
        plan.Waves[0].Guests.SelectMany(guest => guest.Blockers.Select(blocker => (guest.Id.Name, blocker.Kind, blocker.Passing))).ShouldBe([
            ("g000", BlockerKind.NeverFits, true), ("g004", BlockerKind.LimitsNeverAdmit, false)]);
        SampleFleet.Plan(_all, SampleFleet.Of(SampleFleet.Guest(0) with { HostOnline = false })).EndsAt.ShouldBeNull();
    }

    [Fact]
    public void Should_tell_all_errors_of_a_rollout_at_once()
    {
        FleetSnapshot fleet = SampleFleet.Of(SampleFleet.Guests(10)) with { Image = SampleFleet.Image with { State = ImageState.Verified } };
        SampleFleet.Fields(
            new()
            {
                Selector = "zone=c",
                Guests = ["h00/g000", "nobody", "h99/g999"],
                Canary = new() { Percent = 60, Name = "first" },
                Waves = [
                    new() { Percent = 30 },
                    new() { Label = "pool=cache", Count = 1, Settle = "31d", Promotion = "never", MaxConcurrent = "0%" },
                    new() { Percent = 120 },
                    new() { Percent = 20, Name = "first", Gates = [new() { Name = "a", Kind = "http", Point = "standby", Target = "http://x" }, new() { Name = "a" }] },
                    new() { Errors = new() { Attempts = 0 } },
                ],
                Windows = ["daily 02:00 Mars/Olympus for 1h", "daily 02:00 UTC for 1h to 2026-01-01", "noon"],
                Calendars = ["holidays"],
                OnWindowClose = "ignore",
                Limits = [new() { Layer = "zone", Name = "a", MaxConcurrent = "1" }, new() { Layer = "zone", Name = "x", MaxConcurrent = "1" }, new() { Layer = "star" }],
                Strategy = "magic",
                Offline = "hope",
                RequireProven = true,
            },
            fleet).ShouldBe([
                "guests[1]", "waves[1]", "waves[1].settle", "waves[1].promotion", "waves[1].maxConcurrent", "waves[2].percent",
                "waves[3].gates[1].name", "waves[3].gates[1].kind", "waves[3].gates[1].point", "waves[4]", "waves[4].errors.attempts",
                "windows[0].zone", "windows[2]", "onWindowClose", "limits[2].layer", "limits[2]", "strategy", "offline", "waves[3].percent",
                "image", "selector", "guests[2]", "calendars[0]", "windows[1]", "limits[1].name",
            ], ignoreOrder: true);
    }

    [Fact]
    public void Should_refuse_waves_that_overlap_or_match_nothing()
    {
        FleetSnapshot fleet = SampleFleet.Of(SampleFleet.Guests(10));
        SampleFleet.Fields(_all with { Waves = [new() { Label = "zone=a" }, new() { Count = 1 }, new() { Label = "pool=web" }, new() { Label = "zone=c" }] }, fleet)
            .ShouldBe(["waves[2].label", "waves[3].label"]);
        WavePlanner.Plan(_all with { Waves = [new() { Label = "zone=a" }, new() { Label = "pool=web" }] }, fleet, SampleFleet.Now)
            .Violations.Single().Message.ShouldBe("'pool=web' matches h00/g000 and 2 more, as does waves[0].");
        SampleFleet.Fields(_all with { Canary = new() { Label = "zone=c" } }, fleet).ShouldBe(["canary.label"]);
        SampleFleet.Fields(new(), fleet).ShouldBe(["selector"]);
        SampleFleet.Fields(new() { Selector = "" }, fleet).ShouldBe(["selector"]);
        SampleFleet.Fields(_all with { Waves = [new() { Count = 1, Name = "rest" }] }, fleet).ShouldBe(["waves[0].name"]);
        SampleFleet.Fields(_all, fleet with { Image = SampleFleet.Image with { State = ImageState.Denied } }).ShouldBe(["image"]);
    }

    [Fact]
    public void Should_refuse_nulls_in_lists()
    {
        string json = """
            {"Selector":"*","Guests":[null],"Waves":[null,{"Count":1,"Gates":[null],"Errors":{"Thresholds":[null]}}],"Windows":[null],"Calendars":[null],"Limits":[null]}
            """;
        SampleFleet.Fields(System.Text.Json.JsonSerializer.Deserialize<RolloutForm>(json)!, SampleFleet.Of(SampleFleet.Guests(2))).ShouldBe([
            "guests[0]", "waves[0]", "waves[1].gates[0]", "waves[1].errors.thresholds[0]", "windows[0]", "limits[0]", "calendars[0]"]);
    }

    [Fact]
    public void Should_refuse_blackouts_that_leave_no_time()
    {
        BlackoutCalendar calendar = new CalendarForm
        {
            Name = "freeze",
            Zone = "UTC",
            Blackouts = [new() { Name = "for ever", From = "2026-01-01", To = "2036-01-01" }],
        }.Read("", new List<Violation>()).ShouldNotBeNull();
        FleetSnapshot fleet = SampleFleet.Of(SampleFleet.Guests(2)) with { Calendars = [calendar] };
        SampleFleet.Fields(_all with { Calendars = ["freeze"] }, fleet).ShouldBe(["calendars"]);
        SampleFleet.Fields(_all with { Calendars = ["freeze"], Windows = ["daily 02:00 UTC for 1h"] }, fleet).ShouldBe(["windows"]);
    }

    [Fact]
    public void Should_read_the_canonical_form_it_writes()
    {
        List<Violation> violations = [];
        RolloutForm form = new()
        {
            Selector = "zone in (b,a)",
            Guests = ["h2/g", "h1/g"],
            Canary = new() { Count = 1 },
            Waves = [new() { Percent = 10, MaxConcurrent = "50%" }, new() { Label = "!slow", Settle = "90m" }],
            Windows = ["Sun 2:00 UTC for 120m"],
            Calendars = ["holidays"],
            Limits = [new() { Layer = "rack", MaxConcurrent = "1" }],
            Strategy = "auto",
            Offline = "skip",
        };
        RolloutForm canonical = RolloutForm.Of(form.Read(violations));
        string json = System.Text.Json.JsonSerializer.Serialize(canonical);
        RolloutForm again = System.Text.Json.JsonSerializer.Deserialize<RolloutForm>(json).ShouldNotBeNull();
        System.Text.Json.JsonSerializer.Serialize(RolloutForm.Of(again.Read(violations))).ShouldBe(json);
        violations.ShouldBeEmpty();
        canonical.Guests.ShouldBe(["h1/g", "h2/g"]);
        canonical.Windows.ShouldBe(["Sunday 02:00 UTC for 2h"]);
        canonical.Waves![1].Settle.ShouldBe("1h30m");
    }
}
