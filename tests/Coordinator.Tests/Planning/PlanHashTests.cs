using NodaTime;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Tests.Planning;

public sealed class PlanHashTests
{
    private static readonly RolloutForm _form = new()
    {
        Selector = "zone=a",
        Canary = new() { Count = 1 },
        Waves = [new() { Percent = 50, Settle = "10m", Gates = [new() { Name = "up", Kind = "http", Point = "after-wave", Target = "http://x/" }] }],
        Windows = ["daily 02:00 Europe/Berlin for 3h"],
        Calendars = ["holidays"],
        Limits = [new() { Layer = "host", MaxConcurrent = "1" }],
    };

    private static readonly FleetSnapshot _fleet = SampleFleet.Of(SampleFleet.Guests(12)) with { Calendars = [Holidays("2026-12-24")] };

    /* Approvals outlive a release: when this fails although nothing else did, PlanHash.Version goes up. */
    [Fact]
    public void Should_be_the_same_in_every_release() =>
        Hash(_form, _fleet).ShouldBe("sha256:4ec80673c9e60569dff8cf8ecd4b8e9640dae895535374462a05523cdd2f591e");

    [Fact]
    public void Should_not_change_with_what_does_not_change_the_plan()
    {
        string hash = Hash(_form, _fleet);
        Hash(_form with { Selector = " zone = a , zone in (a,a)" }, _fleet).ShouldBe(hash);
        Hash(_form with { Strategy = "twin", Offline = "wait", OnWindowClose = "finish", RequireProven = false }, _fleet).ShouldBe(hash);
        Hash(_form, _fleet with { Guests = [.. _fleet.Guests.Reverse()] }).ShouldBe(hash);
        Hash(_form, Change(0, guest => guest with { Healthy = false })).ShouldBe(hash);
        Hash(_form, Change(0, guest => guest with { SeenUpgrades = [.. Enumerable.Repeat(Duration.FromMinutes(1), 9)] })).ShouldBe(hash);
        Hash(_form, Change(2, guest => guest with { ImageDigest = SampleFleet.Image.Digest })).ShouldBe(hash, "it is not selected");
        Hash(_form, Change(9, guest => guest with { HostOnline = false })).ShouldBe(hash, "it is the last anyway");
        WavePlanner.Plan(_form, _fleet, SampleFleet.Now + Duration.FromDays(3)).Plan!.Hash.ShouldBe(hash);
    }

    [Fact]
    public void Should_change_with_everything_that_changes_the_plan()
    {
        string[] hashes =
        [
            Hash(_form, _fleet),
            Hash(_form with { Selector = "zone=b" }, _fleet),
            Hash(_form with { Canary = null }, _fleet),
            Hash(_form with { Canary = new() { Count = 2 } }, _fleet),
            Hash(_form with { Waves = [_form.Waves![0] with { Settle = "11m" }] }, _fleet),
            Hash(_form with { Waves = [_form.Waves[0] with { Promotion = "manual" }] }, _fleet),
            Hash(_form with { Waves = [_form.Waves[0] with { Gates = null }] }, _fleet),
            Hash(_form with { Waves = [_form.Waves[0] with { Errors = new() { Attempts = 3 } }] }, _fleet),
            Hash(_form with { Windows = ["daily 02:00 Europe/London for 3h"] }, _fleet),
            Hash(_form with { Limits = null }, _fleet),
            Hash(_form with { Strategy = "auto" }, _fleet),
            Hash(_form with { Offline = "skip" }, _fleet),
            Hash(_form with { OnWindowClose = "roll-back" }, _fleet),
            Hash(_form with { AllowDowngrade = true }, _fleet),
            Hash(_form with { RequireProven = true }, _fleet),
            Hash(_form, _fleet with { Calendars = [Holidays("2026-12-25")] }),
            Hash(_form, _fleet with { Image = SampleFleet.Image with { Digest = $"sha256:{new string('c', 64)}" } }),
            Hash(_form, _fleet with { Guests = [.. _fleet.Guests, SampleFleet.Guest(12)] }),
            Hash(_form, Change(0, guest => guest with { HostOnline = false })),
            Hash(_form, Change(9, guest => guest with { CpusPresent = 1 })),
            Hash(_form, Change(9, guest => guest with { ImageDigest = SampleFleet.Image.Digest })),
        ];
        hashes.ShouldBeUnique();
        hashes.ShouldAllBe(hash => hash.StartsWith("sha256:") && hash.Length == 71);
    }

    private static string Hash(RolloutForm form, FleetSnapshot fleet) => SampleFleet.Plan(form, fleet).Hash;

    private static FleetSnapshot Change(int at, Func<GuestSnapshot, GuestSnapshot> change) =>
        _fleet with { Guests = [.. _fleet.Guests.Select((guest, index) => index == at ? change(guest) : guest)] };

    private static BlackoutCalendar Holidays(string date) => new CalendarForm
    {
        Name = "holidays",
        Zone = "Europe/Berlin",
        Blackouts = [new() { Name = "Christmas", From = date }],
    }.Read("", new List<Violation>()).ShouldNotBeNull();
}
