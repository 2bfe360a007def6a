using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Planning;

namespace TwinKernel.Fleet.Coordinator.Tests.Planning;

/// <summary>A fleet for plans: guests on hosts h00, h01, ..., healthy and ready unless a test says otherwise.</summary>
internal static class SampleFleet
{
    public static readonly Instant Now = Instant.FromUtc(2026, 11, 21, 11, 0);

    public static readonly ImageSnapshot Image = new()
    {
        Digest = $"sha256:{new string('b', 64)}",
        Name = "debian-6.12",
        KernelRelease = "6.12.9-amd64",
        State = ImageState.Proven,
    };

    public static FleetSnapshot Of(params IReadOnlyList<GuestSnapshot> guests) => new() { Image = Image, Guests = guests };

    /// <summary>Two guests to a host, zones a and b in turn by host.</summary>
    public static GuestSnapshot[] Guests(int count) => [.. Enumerable.Range(0, count).Select(Guest)];

    public static GuestSnapshot Guest(int at) => new()
    {
        Id = new GuestId($"h{at / 2:00}", $"g{at:000}"),
        Labels = new Dictionary<string, string> { ["zone"] = at / 2 % 2 == 0 ? "a" : "b", ["pool"] = at % 2 == 0 ? "web" : "db" },
        State = GuestState.Running,
        HostOnline = true,
        HostHasImage = true,
        Healthy = true,
        ImageDigest = $"sha256:{new string('a', 64)}",
        KernelRelease = "6.1.0-18-amd64",
        CpusPresent = 2,
    };

    public static Plan Plan(RolloutForm form, FleetSnapshot fleet)
    {
        PlanResult result = WavePlanner.Plan(form, fleet, Now);
        result.Violations.ShouldBeEmpty();
        return result.Plan.ShouldNotBeNull();
    }

    public static string[] Fields(RolloutForm form, FleetSnapshot fleet)
    {
        PlanResult result = WavePlanner.Plan(form, fleet, Now);
        (result.Plan is null).ShouldBe(result.Violations.Count > 0);
        return [.. result.Violations.Select(one => one.Field)];
    }

    public static string Shape(this Plan plan) =>
        string.Join("; ", plan.Waves.Select(wave => $"{wave.Rule.Name}: {string.Join(' ', wave.Guests.Select(guest => guest.Id.Name))}"));
}
