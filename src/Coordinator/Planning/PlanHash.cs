using System.Security.Cryptography;
using System.Text.Json;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>The hash that is approved, over JSON with members in a fixed order. Another <c>Version</c> is another hash for the same plan.</summary>
internal static class PlanHash
{
    private const int Version = 1;

    public static string Of(ImageSnapshot image, RolloutSpec spec, IEnumerable<BlackoutCalendar> calendars, IEnumerable<PlannedWave> waves)
    {
        byte[] canonical = JsonSerializer.SerializeToUtf8Bytes(new Hashed(
            Version,
            image.Digest,
            RolloutForm.Of(spec),
            [.. calendars.Select(CalendarForm.Of)],
            [.. waves.Select(wave => new HashedWave(
                wave.Rule.Name,
                [.. wave.Guests.Select(guest => new HashedGuest(
                    guest.Id.ToString(),
                    [.. guest.Blockers.Where(blocker => !blocker.Passing).Select(blocker => blocker.Kind.ToString())]))]))]));
        return $"sha256:{Convert.ToHexStringLower(SHA256.HashData(canonical))}";
    }

    private sealed record Hashed(
        int Version, string Image, RolloutForm Rollout, IReadOnlyList<CalendarForm> Calendars, IReadOnlyList<HashedWave> Waves);

    private sealed record HashedWave(string Name, IReadOnlyList<HashedGuest> Guests);

    private sealed record HashedGuest(string Id, IReadOnlyList<string> Blockers);
}
