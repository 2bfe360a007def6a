using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Windows;

namespace TwinKernel.Fleet.Coordinator.Planning;

/// <summary>What the coordinator knows when it plans; the same snapshot gives the same plan.</summary>
public sealed record FleetSnapshot
{
    public required ImageSnapshot Image { get; init; }

    /// <summary>Every guest of the fleet, selected or not: percentages of limits are of all.</summary>
    public required IReadOnlyList<GuestSnapshot> Guests { get; init; }

    /// <summary>The fleet's own limits.</summary>
    public IReadOnlyList<LayerLimit> Limits { get; init; } = [];

    /// <summary>Every calendar there is.</summary>
    public IReadOnlyList<BlackoutCalendar> Calendars { get; init; } = [];

    /// <summary>How long completed upgrades of any guest took, and roll-backs: newest first, as many as the caller cares to read.</summary>
    public IReadOnlyList<Duration> SeenUpgrades { get; init; } = [];
    public IReadOnlyList<Duration> SeenRollbacks { get; init; } = [];
}

/// <summary>The image that is to be rolled out.</summary>
public sealed record ImageSnapshot
{
    /// <summary><c>sha256:</c> and 64 lower-case hex digits.</summary>
    public required string Digest { get; init; }
    public required string Name { get; init; }
    public required string KernelRelease { get; init; }
    public required ImageState State { get; init; }
}

/// <summary>A guest as it stands.</summary>
public sealed record GuestSnapshot
{
    public required GuestId Id { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }
    public required GuestState State { get; init; }
    public required bool HostOnline { get; init; }

    /// <summary>The host holds the image, or can fetch it.</summary>
    public required bool HostHasImage { get; init; }

    /// <summary>As <see cref="FleetMember.Healthy"/>.</summary>
    public required bool Healthy { get; init; }

    /// <summary>Digest of the image it runs; empty: not known.</summary>
    public required string ImageDigest { get; init; }

    /// <summary>Null: not known.</summary>
    public string? KernelRelease { get; init; }

    /// <summary>0: not known.</summary>
    public int CpusPresent { get; init; }

    /// <summary>What holds the guest: the name or id of another active rollout or single upgrade; null: nothing.</summary>
    public string? HeldBy { get; init; }

    /// <summary>Why it is in quarantine; null: it is not.</summary>
    public string? Quarantine { get; init; }

    /// <summary>How long its own completed upgrades took, newest first.</summary>
    public IReadOnlyList<Duration> SeenUpgrades { get; init; } = [];
}
