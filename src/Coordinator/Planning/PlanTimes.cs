using NodaTime;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>
/// Plays a plan through, wave after wave, when every upgrade succeeds in its predicted time, nothing else runs, and no promotion is waited
/// for: the same limits and windows as in earnest.
/// </summary>
internal sealed class PlanTimes(FleetSnapshot fleet, RolloutSpec spec, WindowSet windows)
{
    private readonly Duration _rollback = DurationPrediction.Rollback(fleet.SeenRollbacks);
    private readonly Duration _ofFleet = DurationPrediction.Upgrade(fleet.SeenUpgrades);
    private readonly Dictionary<Duration, WindowFit> _fits = [];
    private readonly HashSet<GuestId> _upgraded = [];

    public PlannedWave Play(WaveDraft wave, int index, IReadOnlyDictionary<GuestId, IReadOnlyList<Blocker>> blockers, Instant begin)
    {
        Duration gates = GateSpec.TimeInUpgrade(wave.Rule.Gates);
        PlannedGuest[] guests = [.. wave.Guests.Select(guest => new PlannedGuest
        {
            Id = guest.Id,
            Blockers = blockers[guest.Id],
            Predicted = DurationPrediction.Upgrade(guest.SeenUpgrades, _ofFleet) + gates,
            PredictedRollback = _rollback,
        })];
        new Run(this, guests, new AdmissionCount(Scopes(wave)), begin).Play();
        Instant? ends = guests.Max(guest => guest.EndsAt);
        return new PlannedWave
        {
            Index = index,
            IsCanary = wave.IsCanary,
            Rule = wave.Rule,
            Guests = guests,
            StartsAt = guests.Min(guest => guest.StartsAt),
            EndsAt = ends + wave.Rule.Settle + GateSpec.TimeOf(wave.Rule.Gates, GatePoint.AfterWave),
        };
    }

    private List<AdmissionScope> Scopes(WaveDraft wave)
    {
        List<AdmissionScope> scopes = [new() { Limits = [.. fleet.Limits, .. spec.Limits], Members = [.. fleet.Guests.Select(Member)], Running = [] }];
        if (wave.Rule.MaxConcurrent is { } most)
        {
            scopes.Add(AdmissionScope.OfWave($"wave '{wave.Rule.Name}'", most, [.. wave.Guests.Select(Member)], []));
        }

        return scopes;
    }

    private FleetMember Member(GuestSnapshot guest) => new(guest.Id, guest.Labels, guest.Healthy || _upgraded.Contains(guest.Id));

    /// <summary>As <see cref="WindowSet.Fits"/>; what it answered holds until the opening it named is too short.</summary>
    private WindowFit Fits(Instant now, Duration predicted)
    {
        if (_fits.TryGetValue(predicted, out WindowFit? known)
            && (known.StartAt is not { } start || now <= start || known.ClosesAt is not { } closes || now + predicted + _rollback <= closes))
        {
            return known;
        }

        return _fits[predicted] = windows.Fits(now, predicted, _rollback);
    }

    /// <summary>One wave. A guest that is refused waits for the group that refused it, and is tried again when an upgrade in that group ends.</summary>
    private sealed class Run(PlanTimes times, PlannedGuest[] guests, AdmissionCount count, Instant begin)
    {
        private readonly PriorityQueue<int, (Instant At, int Guest)> _events = new();
        private readonly Dictionary<LimitGroup, SortedSet<int>> _waiting = [];
        private readonly NotAdmitted?[] _refusals = new NotAdmitted?[guests.Length];

        public void Play()
        {
            for (int at = 0; at < guests.Length; at++)
            {
                if (guests[at].Blockers.Count == 0)
                {
                    Offer(at, begin);
                }
            }

            while (_events.TryDequeue(out int at, out (Instant At, int Guest) due))
            {
                if (guests[at].StartsAt is null)
                {
                    Offer(at, due.At);
                    continue;
                }

                times._upgraded.Add(guests[at].Id);
                foreach (LimitGroup group in count.Succeed(guests[at].Id))
                {
                    Wake(group, due.At);
                }
            }

            foreach (int at in _waiting.Values.SelectMany(waiting => waiting))
            {
                Block(at, BlockerKind.LimitsNeverAdmit, _refusals[at]!.Why, !_refusals[at]!.Never);
            }
        }

        /// <summary>The group that refuses it; null when it started, or waits for something else.</summary>
        private LimitGroup? Offer(int at, Instant now)
        {
            WindowFit fit = times.Fits(now, guests[at].Predicted);
            if (fit.StartAt is not { } start)
            {
                Block(at, BlockerKind.NeverFits, fit.Why, true);
                return null;
            }

            if (now < start)
            {
                _events.Enqueue(at, (start, at));
                return null;
            }

            _refusals[at] = count.Start(guests[at].Id, out LimitGroup? group);
            if (_refusals[at] is null)
            {
                guests[at] = guests[at] with { StartsAt = now, EndsAt = now + guests[at].Predicted };
                _events.Enqueue(at, (now + guests[at].Predicted, at));
            }
            else if (group is not null)
            {
                if (!_waiting.TryGetValue(group, out SortedSet<int>? waiting))
                {
                    _waiting.Add(group, waiting = []);
                }

                waiting.Add(at);
            }

            return group;
        }

        private void Wake(LimitGroup group, Instant now)
        {
            while (_waiting.TryGetValue(group, out SortedSet<int>? waiting) && waiting.Count > 0)
            {
                int first = waiting.Min;
                waiting.Remove(first);
                if (Offer(first, now) == group)
                {
                    return;
                }
            }
        }

        private void Block(int at, BlockerKind kind, string why, bool passing) =>
            guests[at] = guests[at] with { Blockers = [.. guests[at].Blockers, new Blocker(kind, why, passing)] };
    }
}
