namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>The guests of one wave, in their order.</summary>
internal sealed record WaveDraft(bool IsCanary, WaveRule Rule, IReadOnlyList<GuestSnapshot> Guests);

/// <summary>Shares the selected guests out among the waves: each into exactly one.</summary>
internal static class WaveBuilder
{
    /// <summary>The name of the wave of all that no other takes.</summary>
    public const string Rest = "rest";

    private static readonly WaveRule _plain = new() { Name = Rest, Size = new WaveSize.Rest() };

    /// <summary><paramref name="guests"/> are in the order in which waves take them; waves left out are told in <paramref name="notes"/>.</summary>
    public static IReadOnlyList<WaveDraft> Build(RolloutSpec spec, IReadOnlyList<GuestSnapshot> guests, ICollection<string> notes)
    {
        List<WaveDraft> waves = [];
        List<GuestSnapshot> left = [.. guests];
        if (spec.Canary is { } canary)
        {
            Take(canary, true, _ => true);
        }

        WaveSize.Label[] labels = [.. spec.Waves.Select(wave => wave.Size).OfType<WaveSize.Label>()];
        foreach (WaveRule wave in spec.Waves)
        {
            Take(wave, false, guest => !labels.Any(label => label.Selector.Matches(guest.Labels)));
        }

        WaveRule last = spec.Waves is [.., var before] ? before : spec.Canary ?? _plain;
        if (left.Count > 0)
        {
            waves.Add(new WaveDraft(false, last with { Name = Rest, Size = new WaveSize.Rest() }, left));
        }

        return waves;

        void Take(WaveRule rule, bool isCanary, Func<GuestSnapshot, bool> isFree)
        {
            HashSet<GuestSnapshot> taken = rule.Size switch
            {
                WaveSize.Label label => Set(left.Where(guest => label.Selector.Matches(guest.Labels))),
                WaveSize.Count count => Set(left.Where(isFree).Take(count.Guests)),
                WaveSize.Percent percent => Set(left.Where(isFree).Take(Math.Max(1, (int)((long)guests.Count * percent.Value / 100)))),
                _ => Set(left),
            };
            if (taken.Count == 0)
            {
                notes.Add($"Wave '{rule.Name}' is left out: no guest was left for it.");
                return;
            }

            waves.Add(new WaveDraft(isCanary, rule, [.. left.Where(taken.Contains)]));
            left = [.. left.Where(guest => !taken.Contains(guest))];
        }
    }

    private static HashSet<GuestSnapshot> Set(IEnumerable<GuestSnapshot> guests) => new(guests, ReferenceEqualityComparer.Instance);
}
