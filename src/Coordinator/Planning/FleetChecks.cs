using NodaTime;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>What is wrong with a rollout because of what the fleet is; parts that could not be read are passed over.</summary>
internal static class FleetChecks
{
    /// <summary>The selected guests, each once, by host and name.</summary>
    public static IReadOnlyList<GuestSnapshot> Run(
        RolloutForm form, RolloutParts parts, FleetSnapshot fleet, Instant now, ICollection<Violation> violations)
    {
        CheckImage(parts, fleet.Image, violations);
        IReadOnlyList<GuestSnapshot> selected = Select(parts, fleet, violations);
        bool knowsAll = parts.Selector is not null == form.Selector is not null && !parts.Guests.Contains(null);
        if (knowsAll && selected.Count > 0)
        {
            CheckLabels(parts, selected, violations);
        }

        CheckTimes(parts, fleet, now, violations);
        foreach ((int at, LayerLimit? limit) in parts.Limits.Index())
        {
            if (limit is { Name: { } name } && !fleet.Guests.Any(guest => LayerLimit.GroupOf(limit.Layer, Member(guest)) == name))
            {
                violations.Add(new Violation($"limits[{at}].name", $"No guest of the fleet is in {Choice.Text(limit.Layer)} '{name}'."));
            }
        }

        return selected;
    }

    private static FleetMember Member(GuestSnapshot guest) => new(guest.Id, guest.Labels, guest.Healthy);

    private static void CheckImage(RolloutParts parts, ImageSnapshot image, ICollection<Violation> violations)
    {
        if (image.State == ImageState.Denied)
        {
            violations.Add(new Violation("image", $"{image.Name} ({image.Digest}) is denied."));
        }
        else if (image.State == ImageState.Verified && parts.RequireProven)
        {
            violations.Add(new Violation("image", $"{image.Name} ({image.Digest}) has not been proven, and the rollout requires it."));
        }
    }

    private static IReadOnlyList<GuestSnapshot> Select(RolloutParts parts, FleetSnapshot fleet, ICollection<Violation> violations)
    {
        SortedDictionary<GuestId, GuestSnapshot> selected = [];
        foreach (GuestSnapshot guest in fleet.Guests.Where(guest => parts.Selector?.Matches(guest.Labels) ?? false))
        {
            selected[guest.Id] = guest;
        }

        if (parts.Selector is not null && selected.Count == 0)
        {
            violations.Add(new Violation("selector", $"'{parts.Selector}' matches none of the fleet's {fleet.Guests.Count} guests."));
        }

        Dictionary<GuestId, GuestSnapshot> byId = fleet.Guests.DistinctBy(guest => guest.Id).ToDictionary(guest => guest.Id);
        foreach ((int at, GuestId? id) in parts.Guests.Index())
        {
            if (id is not { } known)
            {
                continue;
            }

            if (byId.TryGetValue(known, out GuestSnapshot? guest))
            {
                selected[known] = guest;
            }
            else
            {
                violations.Add(new Violation($"guests[{at}]", $"Guest {known} is not known."));
            }
        }

        return [.. selected.Values];
    }

    private static void CheckLabels(RolloutParts parts, IReadOnlyList<GuestSnapshot> selected, ICollection<Violation> violations)
    {
        if (parts.Canary?.Size is WaveSize.Label canary && !selected.Any(guest => canary.Selector.Matches(guest.Labels)))
        {
            violations.Add(new Violation("canary.label", $"'{canary.Selector}' matches none of the {selected.Count} selected guests."));
        }

        Dictionary<GuestId, int> claims = [];
        foreach ((int at, WaveRule? wave) in parts.Waves.Index())
        {
            if (wave?.Size is not WaveSize.Label label)
            {
                continue;
            }

            GuestId[] matched = [.. selected.Where(guest => label.Selector.Matches(guest.Labels)).Select(guest => guest.Id)];
            if (matched.Length == 0)
            {
                violations.Add(new Violation($"waves[{at}].label", $"'{label.Selector}' matches none of the {selected.Count} selected guests."));
            }

            GuestId[] both = [.. matched.Where(guest => !claims.TryAdd(guest, at))];
            if (both.Length > 0)
            {
                violations.Add(new Violation(
                    $"waves[{at}].label", $"'{label.Selector}' matches {both[0]}{(both.Length > 1 ? $" and {both.Length - 1} more" : "")}, as does waves[{claims[both[0]]}]."));
            }
        }
    }

    private static void CheckTimes(RolloutParts parts, FleetSnapshot fleet, Instant now, ICollection<Violation> violations)
    {
        int before = violations.Count;
        List<BlackoutCalendar> calendars = [];
        foreach ((int at, string name) in parts.Calendars.Index())
        {
            if (fleet.Calendars.FirstOrDefault(calendar => calendar.Name == name) is { } calendar)
            {
                calendars.Add(calendar);
            }
            else
            {
                violations.Add(new Violation($"calendars[{at}]", $"There is no calendar '{name}'."));
            }
        }

        WindowSet.CheckEach(parts.Windows, now, "windows", violations);
        if (violations.Count == before && !parts.Windows.Contains(null))
        {
            new WindowSet([.. parts.Windows.OfType<MaintenanceWindow>()], calendars).CheckTogether(now, parts.Windows.Count > 0 ? "windows" : "calendars", violations);
        }
    }
}
