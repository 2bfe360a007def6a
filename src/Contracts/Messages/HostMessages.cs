namespace TwinKernel.Fleet.Contracts.Messages;

/// <summary>
/// Host agent to coordinator: the host lives, and this is what it has. The first one registers the host; later ones
/// are sent every <see cref="Interval"/> and after every change of a guest.
/// </summary>
public sealed record HostHeartbeat
{
    /// <summary>Name of the host, unique in the fleet: lower-case letters, digits, dots and hyphens, at most 63 characters.</summary>
    public required string Host { get; init; }

    /// <summary>Identity of this run of the agent; grows with <see cref="Sequence"/> so that an older heartbeat never overwrites a newer one.</summary>
    public required Guid Incarnation { get; init; }

    /// <summary>When this run of the agent started, its wall clock; orders incarnations.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>1, 2, 3, ... within the incarnation.</summary>
    public required long Sequence { get; init; }

    /// <summary>When the next one is due at the latest.</summary>
    public required TimeSpan Interval { get; init; }

    public required string AgentVersion { get; init; }

    /// <summary><c>kvm</c> or <c>tcg</c>, as the probe found.</summary>
    public required string Accelerator { get; init; }

    /// <summary>Where the host is and what it is for (region, zone, rack, pool, or anything else); its guests have them too.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    public required IReadOnlyList<GuestReport> Guests { get; init; }

    public required IReadOnlyList<ImageReport> Images { get; init; }
}

/// <summary>
/// Coordinator to all host agents: how often each is to beat at most, since there are so many. An agent keeps to it from its next heartbeat on, which says
/// the new interval, until it is told otherwise or ends. It never beats more often than its own configuration says.
/// </summary>
public sealed record PaceHeartbeats
{
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>Between two heartbeats: above 0, at most <see cref="Longest"/>; anything else is ignored.</summary>
    public required TimeSpan Interval { get; init; }

    /// <summary>What an agent's interval becomes.</summary>
    /// <param name="own">As its configuration says.</param>
    /// <param name="before">What it is now.</param>
    public TimeSpan Applied(TimeSpan own, TimeSpan before) =>
        Interval <= TimeSpan.Zero || Interval > Longest ? before : Interval > own ? Interval : own;
}

/// <summary>State of a guest's virtual machine, as its host sees it.</summary>
public enum GuestState
{
    /// <summary>The VM runs; its agent has not answered yet.</summary>
    Starting = 1,

    /// <summary>The VM runs and its agent answers.</summary>
    Running = 2,

    /// <summary>The VM does not run.</summary>
    Stopped = 3,

    /// <summary>The VM runs; its agent answered before and does not now.</summary>
    Unreachable = 4,
}

/// <summary>One guest of a heartbeat.</summary>
public sealed record GuestReport
{
    public required string Guest { get; init; }
    public required GuestState State { get; init; }

    /// <summary>Digest of the image whose kernel runs.</summary>
    public required string ImageDigest { get; init; }

    /// <summary>Where the guest's service answers, <c>address:port</c> on the host.</summary>
    public required string ServiceAddress { get; init; }

    /// <summary>The guest's own; one of the same key hides the host's.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Absent until the guest's agent has answered.</summary>
    public GuestObservation? Observation { get; init; }
}

/// <summary>One image that the host holds.</summary>
public sealed record ImageReport
{
    public required string Digest { get; init; }
    public required string Name { get; init; }
    public required string KernelRelease { get; init; }

    /// <summary>Kernel and initramfs together, bytes.</summary>
    public required long Bytes { get; init; }
}
