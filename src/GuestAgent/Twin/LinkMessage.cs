using System.Text.Json.Serialization;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Workload;

namespace TwinKernel.Fleet.GuestAgent.Twin;

/// <summary>What the two agents say to each other through the mailbox: JSON, one object a message.</summary>
internal sealed record LinkMessage
{
    public const string Handover = "handover";
    public const string StandbyNetwork = "standby-network";
    public const string OnlineCpu = "online-cpu";
    public const string AdoptMemory = "adopt-memory";
    public const string AdoptFunction = "adopt-function";
    public const string WarmServices = "warm-services";
    public const string ServicesReady = "services-ready";
    public const string SyncService = "sync-service";
    public const string Done = "done";
    public const string Refused = "refused";

    /// <summary>Of the question; its answer carries the same, so that a late answer to an agent that is gone is told apart.</summary>
    public required ulong Sequence { get; init; }
    public required string Kind { get; init; }

    /// <summary>Of the CPU to bring online.</summary>
    public uint? ApicId { get; init; }

    /// <summary>Of the memory to adopt and put online, physical address and bytes.</summary>
    public ulong? Start { get; init; }
    public ulong? Bytes { get; init; }

    /// <summary>To adopt before the park.</summary>
    public PciFunction? Function { get; init; }

    /// <summary>Of the card that comes with the function, when kernel B shall serve there with the address of <see cref="Network"/>.</summary>
    public string? Mac { get; init; }

    /// <summary>An address that answers to ICMP echo there, to rehearse with.</summary>
    public string? Peer { get; init; }
    public HandoverOrder? Order { get; init; }

    /// <summary>For the interface to kernel A, or that of <see cref="Mac"/>, in the form of <c>twinkernel.net=</c>.</summary>
    public string? Network { get; init; }

    /// <summary>Names of services, of those whose data are in preserved memory, the address to replicate them from, and how far.</summary>
    public IReadOnlyList<string>? Services { get; init; }
    public IReadOnlyList<string>? InPlace { get; init; }
    public string? Source { get; init; }

    /// <summary>By the name of the service. Secret.</summary>
    public IReadOnlyDictionary<string, CopyInvitation>? Invitations { get; init; }
    public long? Offset { get; init; }

    /// <summary>How long it took kernel A to hold the service's writes.</summary>
    public long? HeldNanoseconds { get; init; }

    /// <summary>Why it was refused.</summary>
    public string? Error { get; init; }
}

/// <summary>All that kernel B needs to serve in the place of kernel A. Secret: it carries the guest's token.</summary>
public sealed record HandoverOrder
{
    public required string UpgradeId { get; init; }
    public required ulong Epoch { get; init; }
    public required string Token { get; init; }

    /// <summary>Kernel A's <c>uname -r</c>, and the digest of the image that kernel B was booted from.</summary>
    public string FromRelease { get; set; } = "";
    public string Image { get; set; } = "";

    /// <summary>Of the interface that appears with the function.</summary>
    public required string Mac { get; init; }

    /// <summary>In the form of <c>twinkernel.net=</c>.</summary>
    public required string Network { get; init; }

    /// <summary>To adopt, in order.</summary>
    public required IReadOnlyList<PciFunction> Functions { get; init; }

    /// <summary>Of the slot that kernel B lives in: the next upgrade will want one as large.</summary>
    public required ulong SlotBytes { get; init; }

    /// <summary>
    /// To be carried out when kernel A is seen to have ended in a panic, and committed at once. False: kernel A is about to park, and the
    /// host commits.
    /// </summary>
    public bool Failover { get; init; }

    /// <summary>Clients of a service wait for the guest's own card, since it has state, or connections, that were kernel A's. Those of others are served on the card that kernel B has.</summary>
    public bool AreAwaited { get; init; }

    /// <summary>Whom kernel A has resolved, as <see cref="Services.Neighbour.Write"/> has them. Null: not known.</summary>
    public byte[]? Neighbours { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LinkMessage))]
[JsonSerializable(typeof(HandoverOrder))]
internal sealed partial class LinkJson : JsonSerializerContext;
