using System.Text.Json.Serialization;

namespace TwinKernel.Fleet.GuestAgent.Workload;

/// <summary>
/// One service of the guest, as its file in <c>/etc/twinkernel/services.d</c> declares it (docs/services.md). The reader's generated code would overwrite
/// the defaults of members that can only be initialised.
/// </summary>
public sealed record ServiceDefinition
{
    public const string Stateless = "stateless";
    public const string ReplicatedRedis = "replicated-redis";
    public const string ReplicatedPostgresql = "replicated-postgresql";
    public const string InPlace = "in-place";
    public const string HoldWrites = "hold-writes";
    public const string ServeWrites = "serve";
    public const string JournalWrites = "journal";

    /// <summary>As the file's, without <c>.json</c>.</summary>
    public string Name { get; set; } = "";

    /// <summary>An absolute path, and arguments. It stays in the foreground.</summary>
    public IReadOnlyList<string> Start { get; set; } = [];

    /// <summary>Empty: SIGTERM.</summary>
    public IReadOnlyList<string> Stop { get; set; } = [];

    public ServiceProbe Probe { get; set; } = new();

    public string Handover { get; set; } = "";

    /// <summary>TCP port of a replicated service.</summary>
    public int Port { get; set; }

    /// <summary>Directory of a PostgreSQL's socket.</summary>
    public string Socket { get; set; } = "/run/postgresql";

    /// <summary>What a replicated service does about writes between the cut-over and the commit.</summary>
    public string Probation { get; set; } = HoldWrites;

    /// <summary>Memory that outlives the kernel, under the service's name; null: none.</summary>
    public PreservedRequest? Preserve { get; set; }

    /// <summary>That memory, where it is the service itself that uses it.</summary>
    [JsonIgnore]
    public PreservedRequest? OwnMemory => IsJournalled ? null : Preserve;

    [JsonIgnore]
    public bool IsReplicated => Handover is ReplicatedRedis or ReplicatedPostgresql;

    [JsonIgnore]
    public bool IsInPlace => Handover == InPlace;

    /// <summary>Its writes are journalled in the probation, where that is possible; <see cref="Preserve"/> is the journal.</summary>
    [JsonIgnore]
    public bool IsJournalled => Handover == ReplicatedRedis && Probation == JournalWrites;

    /// <summary>All that is wrong with it; empty: nothing.</summary>
    public IEnumerable<string> Problems(string file)
    {
        if (Name != file)
        {
            yield return $"name is '{Name}'; the file is named {file}.json";
        }

        if (Start is not [['/', ..], ..])
        {
            yield return "start must be an absolute path with its arguments";
        }

        if (Stop is [not ['/', ..], ..])
        {
            yield return "stop must begin with an absolute path";
        }

        foreach (string problem in Probe.Problems())
        {
            yield return problem;
        }

        if (Handover is not (Stateless or ReplicatedRedis or ReplicatedPostgresql or InPlace))
        {
            yield return $"handover is '{Handover}'; this agent knows {Stateless}, {ReplicatedRedis}, {ReplicatedPostgresql} and {InPlace}";
        }

        if ((IsInPlace || IsJournalled) && Preserve is null)
        {
            yield return $"{(IsInPlace ? InPlace : $"probation {JournalWrites}")} needs preserve";
        }

        if (Preserve is { } preserve && (preserve.Bytes == 0 || preserve.Bytes % PreservedRequest.Page != 0))
        {
            yield return $"preserve.bytes is {preserve.Bytes}; it must be a multiple of {PreservedRequest.Page}, and not 0";
        }

        if (Preserve is not null && !PreservedRequest.CanBeNamed(Name))
        {
            yield return $"name is '{Name}'; preserved memory has one of at most 31 characters of a-z, A-Z, 0-9, '-', '_' and '.', which must not be the first";
        }

        if (IsReplicated ? Port is < 1 or > 65535 : Port != 0)
        {
            yield return IsReplicated ? $"port is {Port}; {Handover} needs that of the service, 1 to 65535" : $"port is for {ReplicatedRedis} and {ReplicatedPostgresql}";
        }

        if (Socket is not ['/', ..])
        {
            yield return $"socket is '{Socket}'; it must be an absolute path";
        }

        if (Probation is not (HoldWrites or ServeWrites or JournalWrites))
        {
            yield return $"probation is '{Probation}'; it must be {HoldWrites}, {ServeWrites} or {JournalWrites}";
        }

        if (Probation == JournalWrites && Handover != ReplicatedRedis)
        {
            yield return $"probation {JournalWrites} is for {ReplicatedRedis}";
        }
    }
}

/// <summary>Preserved memory that a service asks for.</summary>
public sealed record PreservedRequest
{
    public const ulong Page = 4096;

    /// <summary>A multiple of <see cref="Page"/>. The machine gives whole memory blocks, of 128 MiB as a rule, which services share.</summary>
    public ulong Bytes { get; init; }

    internal static bool CanBeNamed(string name) => name.Length is > 0 and < 32 && name[0] != '.' && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(ServiceDefinition))]
internal sealed partial class ServiceJson : JsonSerializerContext;
