using System.Text.Json.Serialization;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Journal;

/// <summary>A duration on this kernel's monotonic clock.</summary>
public sealed record StepTiming(string Name, long Nanoseconds);

/// <summary>A memory block that was taken offline, and whether it goes back as movable memory.</summary>
public sealed record TakenBlock(uint Number, bool Movable);

/// <summary>A PCI function, in the form of sysfs, that was taken from its driver, and the address of the interface that it had.</summary>
public sealed record TakenFunction(string Function, string Driver, string Mac = "");

/// <summary>The newest state of one step.</summary>
public sealed record StepEntry
{
    public required Wire.Step Step { get; init; }
    public required Wire.StepState State { get; init; }
    public IReadOnlyList<StepTiming> Timings { get; init; } = [];
    public IReadOnlyDictionary<string, string> Facts { get; init; } = new Dictionary<string, string>();
    public string? Reason { get; init; }
    public string? Message { get; init; }
}

/// <summary>One line of the journal. Exactly one of the groups below is set.</summary>
internal sealed record JournalEntry
{
    public required string UpgradeId { get; init; }
    public required ulong Epoch { get; init; }

    /// <summary>The upgrade begins; what stood before is forgotten.</summary>
    public bool Opens { get; init; }
    public StepEntry? Step { get; init; }

    /// <summary>Written before the resource is taken, so that a killed agent gives back even what it was about to take.</summary>
    public uint? TakesCpu { get; init; }
    public TakenBlock? TakesBlock { get; init; }
    public TakenFunction? TakesFunction { get; init; }
    public uint? ReturnsCpu { get; init; }
    public uint? ReturnsBlock { get; init; }
    public string? ReturnsFunction { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(JournalEntry))]
internal sealed partial class JournalJson : JsonSerializerContext;
