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
    public const string HoldWrites = "hold-writes";
    public const string ServeWrites = "serve";

    /// <summary>As the file's, without <c>.json</c>.</summary>
    public string Name { get; set; } = "";

    /// <summary>An absolute path, and arguments. It stays in the foreground.</summary>
    public IReadOnlyList<string> Start { get; set; } = [];

    /// <summary>Empty: SIGTERM.</summary>
    public IReadOnlyList<string> Stop { get; set; } = [];

    public ServiceProbe Probe { get; set; } = new();

    public string Handover { get; set; } = "";

    /// <summary>TCP port of a Redis.</summary>
    public int Port { get; set; }

    /// <summary>What a replicated service does about writes between the cut-over and the commit.</summary>
    public string Probation { get; set; } = HoldWrites;

    [JsonIgnore]
    public bool IsReplicated => Handover == ReplicatedRedis;

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

        if (Handover is not (Stateless or ReplicatedRedis))
        {
            yield return $"handover is '{Handover}'; this agent knows {Stateless} and {ReplicatedRedis}";
        }

        if (IsReplicated ? Port is < 1 or > 65535 : Port != 0)
        {
            yield return IsReplicated ? $"port is {Port}; {Handover} needs that of the service, 1 to 65535" : $"port is for {ReplicatedRedis}";
        }

        if (Probation is not (HoldWrites or ServeWrites))
        {
            yield return $"probation is '{Probation}'; it must be {HoldWrites} or {ServeWrites}";
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(ServiceDefinition))]
internal sealed partial class ServiceJson : JsonSerializerContext;
