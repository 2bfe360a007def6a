using NodaTime;

namespace TwinKernel.Fleet.Coordinator.Gates;

/// <summary>Whom a gate asks.</summary>
public enum GateKind
{
    /// <summary>The guest's agent answers its host. Target: empty.</summary>
    GuestProbe = 1,

    /// <summary>An HTTP GET; 2xx is success, any other answer failure. Target: the URL.</summary>
    Http = 2,

    /// <summary>An instant query of a Prometheus server. Target: its base URL; also a query and an expectation.</summary>
    Prometheus = 3,

    /// <summary>
    /// A command on the guest's host; exit code 0 is success, 1 failure, 2 inconclusive, any other error. Target: a file name in the host's directory of
    /// gate commands (<c>Host:GateDirectory</c>) and arguments.
    /// </summary>
    HostCommand = 4,
}

/// <summary>Where in a rollout a gate stands.</summary>
public enum GatePoint
{
    /// <summary>After a wave's settle time, before the next wave (or, after the last, before the rollout completes).</summary>
    AfterWave = 1,

    /// <summary>For each guest, when its kernel B stands by, before anything is transferred. By kexec and reboot nothing stands by, and it is not asked.</summary>
    Standby = 2,

    /// <summary>For each guest, after the cut-over, before its probation is watched to the end and the commit begins.</summary>
    Probation = 3,
}

/// <summary>A question that must be answered with success before a wave or a guest goes on.</summary>
public sealed record GateSpec
{
    public const int MostAttempts = 100, DefaultAttempts = 3;
    public static readonly Duration LongestDeadline = Duration.FromDays(1);

    /// <summary>The longest <see cref="Timeout"/> of a <see cref="GateKind.HostCommand"/>.</summary>
    public static readonly Duration LongestCommandTimeout = Duration.FromMinutes(1);
    public static readonly Duration DefaultDeadline = Duration.FromMinutes(5), DefaultInterval = Duration.FromSeconds(10), DefaultTimeout = Duration.FromSeconds(10);

    public required string Name { get; init; }
    public required GateKind Kind { get; init; }
    public required GatePoint Point { get; init; }
    public string Target { get; init; } = "";

    /// <summary>PromQL; null for other kinds.</summary>
    public string? Query { get; init; }

    /// <summary>What every value of the query's answer must satisfy; null for other kinds.</summary>
    public GateExpectation? Expect { get; init; }

    /// <summary>How often it is asked at most, 1 to <see cref="MostAttempts"/>.</summary>
    public int Attempts { get; init; } = DefaultAttempts;

    /// <summary>From an answer to the next question, 1 s to <see cref="LongestDeadline"/>.</summary>
    public Duration Interval { get; init; } = DefaultInterval;

    /// <summary>How long one question may take; no answer by then is <see cref="GateOutcome.Error"/>. 1 s to <see cref="Deadline"/>.</summary>
    public Duration Timeout { get; init; } = DefaultTimeout;

    /// <summary>From the first question; an answer after it does not count. 1 s to <see cref="LongestDeadline"/>.</summary>
    public Duration Deadline { get; init; } = DefaultDeadline;

    /// <summary>How long the gates at one point take when all goes well: they are asked side by side, once, and no question takes longer than it may.</summary>
    public static Duration TimeOf(IEnumerable<GateSpec> gates, GatePoint point) =>
        gates.Where(gate => gate.Point == point).Select(gate => gate.Timeout).DefaultIfEmpty(Duration.Zero).Max();

    /// <summary>The same of all gates inside an upgrade.</summary>
    public static Duration TimeInUpgrade(IReadOnlyList<GateSpec> gates) => TimeOf(gates, GatePoint.Standby) + TimeOf(gates, GatePoint.Probation);
}
