using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>What is to become of a guest whose turn it is.</summary>
internal enum Turn
{
    /// <summary>Its upgrade begins now.</summary>
    Begin = 1,

    /// <summary>Not yet.</summary>
    Wait = 2,

    /// <summary>There is nothing to do, or it may not be done.</summary>
    Skip = 3,

    /// <summary>It counts as failed.</summary>
    Fail = 4,
}

/// <summary>A guest whose turn it is. <paramref name="Why"/> is one sentence without a full stop; empty for <see cref="Turn.Begin"/>.</summary>
internal sealed record Considered(RolloutMember Member, Turn Turn, string Why);

/// <summary>
/// Whose upgrade may begin now, and why not that of each other guest whose turn it is. The same for the driver, which carries it
/// out, and for who asks why a guest waits.
/// </summary>
internal sealed record AdmissionRound
{
    public required RolloutRecord Rollout { get; init; }
    public required RolloutOrder Order { get; init; }
    public required WaveRule Rule { get; init; }
    public required FleetSnapshot Fleet { get; init; }

    /// <summary>All guests of the current wave.</summary>
    public required IReadOnlyList<GuestId> Wave { get; init; }
    public required IReadOnlyCollection<GuestId> Running { get; init; }

    /// <summary>Who holds what, of the images that guests are to be brought back to.</summary>
    public required IReadOnlySet<(string Host, string Digest)> Held { get; init; }

    /// <summary>Why nothing at all may begin; null: it may.</summary>
    public required string? Stopped { get; init; }
    public required Instant Now { get; init; }

    /// <param name="members">Guests whose turn it is, in their order.</param>
    public IReadOnlyList<Considered> Decide(IReadOnlyList<RolloutMember> members)
    {
        Dictionary<GuestId, GuestSnapshot> guests = Fleet.Guests.ToDictionary(guest => guest.Id);
        WindowSet windows = new(Order.Spec.Windows, [.. Fleet.Calendars.Where(calendar => Order.Spec.Calendars.Contains(calendar.Name))]);
        Duration upgrade = DurationPrediction.Upgrade(Fleet.SeenUpgrades);
        Duration rollback = DurationPrediction.Rollback(Fleet.SeenRollbacks);
        List<(RolloutMember Member, Considered? Result)> all =
        [
            .. members.Select(member => (member, member.State == MemberState.UndoWaiting
                ? BeforeUndo(member, guests.GetValueOrDefault(member.Guest))
                : BeforeUpgrade(member, guests.GetValueOrDefault(member.Guest), windows, upgrade, rollback))),
        ];
        AdmissionDecision limits = Admission.Decide(Scopes(), [.. all.Where(one => one.Result is null).Select(one => one.Member.Guest)]);
        HashSet<GuestId> admitted = [.. limits.Admitted];
        Dictionary<GuestId, string> refused = limits.NotAdmitted.ToDictionary(one => one.Guest, one => one.Why);
        return
        [
            .. all.Select(one => one.Result
                ?? (admitted.Contains(one.Member.Guest)
                    ? new Considered(one.Member, Turn.Begin, "")
                    : new Considered(one.Member, Turn.Wait, refused[one.Member.Guest].TrimEnd('.')))),
        ];
    }

    private List<AdmissionScope> Scopes()
    {
        List<FleetMember> fleet = [.. Fleet.Guests.Select(guest => new FleetMember(guest.Id, guest.Labels, guest.Healthy))];
        List<AdmissionScope> scopes = [new AdmissionScope { Limits = [.. Fleet.Limits, .. Order.Spec.Limits], Members = fleet, Running = Running }];
        if (Rule.MaxConcurrent is { } most && Rollout.State == RolloutState.Running)
        {
            HashSet<GuestId> wave = [.. Wave];
            scopes.Add(new AdmissionScope
            {
                Name = Rule.Name,
                Limits = [new LayerLimit { Layer = LimitLayer.Fleet, MaxConcurrent = most }],
                Members = [.. fleet.Where(member => wave.Contains(member.Id))],
                Running = Running,
            });
        }

        return scopes;
    }

    /// <summary>Null: only the limits are left to be asked.</summary>
    private Considered? BeforeUpgrade(RolloutMember member, GuestSnapshot? guest, WindowSet windows, Duration upgrade, Duration rollback)
    {
        if (guest is null)
        {
            return Away(member, $"host {member.HostName} no longer reports the guest");
        }

        if (GuestBlockers.Of(Order.Spec, Fleet.Image, guest) is [Blocker blocker, ..])
        {
            string why = blocker.Message.TrimEnd('.');
            return blocker switch
            {
                { Kind: BlockerKind.HostOffline } => Away(member, why),
                // An image that is allowed again goes on.
                { Kind: BlockerKind.ImageDenied } or { Passing: true } => new Considered(member, Turn.Wait, why),
                _ => new Considered(member, Turn.Skip, why),
            };
        }

        return Waits(member) is { } waits ? new Considered(member, Turn.Wait, waits)
            : windows.Fits(Now, DurationPrediction.Upgrade(guest.SeenUpgrades, upgrade) + GateSpec.TimeInUpgrade(Rule.Gates), rollback) is { Now: false } fit
                ? new Considered(member, Turn.Wait, fit.Why.TrimEnd('.'))
                : null;
    }

    private Considered Away(RolloutMember member, string why) =>
        new(member, Order.Spec.Offline switch { OfflinePolicy.Skip => Turn.Skip, OfflinePolicy.Fail => Turn.Fail, _ => Turn.Wait }, why);

    /// <summary>Only what this rollout did is undone: a guest that runs something else by now is left alone. Windows do not hold it up.</summary>
    private Considered? BeforeUndo(RolloutMember member, GuestSnapshot? guest)
    {
        if (guest is { State: GuestState.Running } && guest.ImageDigest != Rollout.ImageDigest)
        {
            return new Considered(member, Turn.Skip, "it runs another image than this rollout brought it to");
        }

        if (guest is null or { HostOnline: false })
        {
            return new Considered(member, Turn.Wait, $"host {member.HostName} is offline, or no longer reports the guest");
        }

        string? waits = guest.State != GuestState.Running ? $"the guest does not run ({guest.State})"
            : guest.HeldBy is { } holder ? $"it is held by {holder}"
            : Waits(member);
        return waits is not null ? new Considered(member, Turn.Wait, waits)
            : member.ImageBefore is not { } before || !Held.Contains((member.HostName, before))
                ? new Considered(member, Turn.Fail, $"host {member.HostName} no longer holds the image that it came from, {member.ImageBefore}")
                : null;
    }

    private string? Waits(RolloutMember member) =>
        Stopped ?? (member.NotBefore is { } at && at > Now.ToDateTimeOffset() ? $"{member.Why ?? "it failed"}; the next attempt begins at {at:u}" : null);
}
