using NodaTime;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>Plans rollouts. Every selected guest is in exactly one wave, blocked or not.</summary>
public static class WavePlanner
{
    /// <summary>
    /// The canary takes its guests first. A wave by label takes all that match; two waves that match one guest overlap, an error. Waves by
    /// count or percent take from what no label claims, first those that nothing blocks, then by host and name. What no wave takes is a
    /// last wave, <c>rest</c>, under the rules of the one before it. A wave that no guest is left for is left out.
    /// </summary>
    public static PlanResult Plan(RolloutForm form, FleetSnapshot fleet, Instant now)
    {
        List<Violation> violations = [];
        RolloutParts parts = form.ReadParts(violations);
        IReadOnlyList<GuestSnapshot> selected = FleetChecks.Run(form, parts, fleet, now, violations);
        if (violations.Count > 0)
        {
            return new PlanResult(null, violations);
        }

        RolloutSpec spec = parts.Spec();
        BlackoutCalendar[] calendars = [.. spec.Calendars.Select(name => fleet.Calendars.First(calendar => calendar.Name == name))];
        Dictionary<GuestId, IReadOnlyList<Blocker>> blockers = selected.ToDictionary(guest => guest.Id, guest => GuestBlockers.Of(spec, fleet.Image, guest));
        List<string> notes = [];
        IReadOnlyList<WaveDraft> drafts = WaveBuilder.Build(
            spec, [.. selected.OrderBy(guest => blockers[guest.Id].Count > 0).ThenBy(guest => guest.Id)], notes);
        notes.AddRange(drafts.SkipLast(1).Where(wave => wave.Rule.Promotion == Promotion.Manual)
            .Select(wave => $"After wave '{wave.Rule.Name}' a person promotes; the times do not hold how long that takes."));

        PlanTimes times = new(fleet, spec, new WindowSet(spec.Windows, calendars));
        List<PlannedWave> waves = [];
        Instant begin = now;
        foreach (WaveDraft draft in drafts)
        {
            waves.Add(times.Play(draft, waves.Count, blockers, begin));
            begin = waves[^1].EndsAt ?? begin;
        }

        return new PlanResult(new Plan
        {
            ImageDigest = fleet.Image.Digest,
            Waves = waves,
            EndsAt = waves.Max(wave => wave.EndsAt),
            Notes = notes,
            Hash = PlanHash.Of(fleet.Image, spec, calendars, waves),
        }, []);
    }
}
