using TwinKernel.Fleet.Coordinator.Guests;

namespace TwinKernel.Fleet.Coordinator.Limits;

/// <summary>The counts of several scopes together, kept up as upgrades start and end. Not for several threads.</summary>
internal sealed class AdmissionCount
{
    private readonly IReadOnlyList<AdmissionScope> _scopes;
    private readonly Dictionary<GuestId, Entry> _guests = [];

    public AdmissionCount(IReadOnlyList<AdmissionScope> scopes)
    {
        _scopes = scopes;
        foreach (AdmissionScope scope in scopes)
        {
            HashSet<GuestId> running = [.. scope.Running];
            var groups = new Dictionary<string, LimitGroup>[scope.Limits.Count];
            foreach (FleetMember member in scope.Members.DistinctBy(member => member.Id))
            {
                if (!_guests.TryGetValue(member.Id, out Entry? entry))
                {
                    _guests.Add(member.Id, entry = new Entry());
                }

                entry.Scopes++;
                entry.Running |= running.Contains(member.Id);
                for (int at = 0; at < groups.Length; at++)
                {
                    LayerLimit limit = scope.Limits[at];
                    string? name = LayerLimit.GroupOf(limit.Layer, member);
                    if (limit.Name is not null && limit.Name != name)
                    {
                        continue;
                    }

                    /* No name has a blank, so this is no group's. */
                    string key = name ?? " ";
                    groups[at] ??= [];
                    if (!groups[at].TryGetValue(key, out LimitGroup? group))
                    {
                        groups[at].Add(key, group = new LimitGroup(limit, name, scope.Name));
                    }

                    group.Add(member.Healthy, running.Contains(member.Id));
                    entry.Groups.Add((group, member.Healthy));
                }
            }
        }
    }

    /// <summary>Null: the guest was admitted and counts as running from now on. Else why not, and by which group; by none when no end of another changes it.</summary>
    public NotAdmitted? Start(GuestId guest, out LimitGroup? refusedBy)
    {
        refusedBy = null;
        if (!_guests.TryGetValue(guest, out Entry? entry) || entry.Scopes < _scopes.Count)
        {
            string missing = _scopes.First(scope => scope.Members.All(member => member.Id != guest)).Name;
            return new NotAdmitted(guest, $"{guest} is no guest of {missing}.", true);
        }

        if (entry.Running)
        {
            return new NotAdmitted(guest, $"{guest} is being upgraded already.", false);
        }

        foreach ((LimitGroup group, bool healthy) in entry.Groups)
        {
            if (!group.Admits(healthy))
            {
                refusedBy = group;
                return new NotAdmitted(guest, group.Why(healthy), entry.Groups.Any(one => one.Group.IsShut));
            }
        }

        entry.Running = true;
        entry.Groups.ForEach(one => one.Group.Start(one.Healthy));
        return null;
    }

    /// <summary>The guest's upgrade succeeded: it is healthy, and admits others. Its groups.</summary>
    public IEnumerable<LimitGroup> Succeed(GuestId guest)
    {
        Entry entry = _guests[guest];
        entry.Running = false;
        for (int at = 0; at < entry.Groups.Count; at++)
        {
            entry.Groups[at] = (entry.Groups[at].Group, true);
            entry.Groups[at].Group.End(true);
        }

        return entry.Groups.Select(one => one.Group);
    }

    private sealed class Entry
    {
        public int Scopes { get; set; }
        public bool Running { get; set; }
        public List<(LimitGroup Group, bool Healthy)> Groups { get; } = [];
    }
}
