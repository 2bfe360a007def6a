using System.Text.RegularExpressions;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Selection;

namespace TwinKernel.Fleet.Coordinator.Gates;

/// <summary>A gate as text and numbers: its JSON form. What is null has the default of <see cref="GateSpec"/>.</summary>
public sealed partial record GateForm
{
    /// <summary>Of a host's command line, in characters.</summary>
    public const int LongestCommand = 256;

    /// <summary>1 to 63 letters, digits, <c>-</c>, <c>_</c> and <c>.</c>; each name once in a wave.</summary>
    public string? Name { get; init; }

    /// <summary><c>guest-probe</c>, <c>http</c>, <c>prometheus</c>, <c>host-command</c>.</summary>
    public string? Kind { get; init; }

    /// <summary><c>after-wave</c>, <c>standby</c>, <c>probation</c>.</summary>
    public string? Point { get; init; }
    public string? Target { get; init; }
    public string? Query { get; init; }

    /// <summary><c>&lt; 0.01</c>: <c>&lt;</c>, <c>&lt;=</c>, <c>&gt;</c>, <c>&gt;=</c>, <c>==</c> or <c>!=</c> and a number.</summary>
    public string? Expect { get; init; }
    public int? Attempts { get; init; }
    public string? Interval { get; init; }
    public string? Timeout { get; init; }
    public string? Deadline { get; init; }

    public static GateForm Of(GateSpec gate) => new()
    {
        Name = gate.Name,
        Kind = Choice.Text(gate.Kind),
        Point = Choice.Text(gate.Point),
        Target = gate.Target,
        Query = gate.Query,
        Expect = gate.Expect?.ToString(),
        Attempts = gate.Attempts,
        Interval = DurationText.Format(gate.Interval),
        Timeout = DurationText.Format(gate.Timeout),
        Deadline = DurationText.Format(gate.Deadline),
    };

    /// <summary>Null, and every error with its path, when it is no gate.</summary>
    public GateSpec? Read(string field, ICollection<Violation> violations)
    {
        int before = violations.Count;
        LabelRules.CheckName(Name, $"{field}.name", violations);
        GateKind? kind = Choice.Read<GateKind>(Kind, $"{field}.kind", null, violations);
        GatePoint? point = Choice.Read<GatePoint>(Point, $"{field}.point", null, violations);
        GateExpectation? expect = null;
        if (kind is { } known)
        {
            CheckTarget(known, $"{field}.target", violations);
            expect = ReadQuery(known, field, violations);
        }

        if (Attempts is < 1 or > GateSpec.MostAttempts)
        {
            violations.Add(new Violation($"{field}.attempts", $"{Attempts} is not 1 to {GateSpec.MostAttempts}."));
        }

        Duration second = Duration.FromSeconds(1);
        Duration deadline = DurationText.Read(Deadline, $"{field}.deadline", GateSpec.DefaultDeadline, second, GateSpec.LongestDeadline, violations);
        Duration interval = DurationText.Read(Interval, $"{field}.interval", GateSpec.DefaultInterval, second, GateSpec.LongestDeadline, violations);
        Duration timeout = DurationText.Read(
            Timeout, $"{field}.timeout", Duration.Min(GateSpec.DefaultTimeout, deadline), second,
            kind == GateKind.HostCommand ? Duration.Min(GateSpec.LongestCommandTimeout, deadline) : deadline, violations);
        return violations.Count > before ? null : new GateSpec
        {
            Name = Name!,
            Kind = kind!.Value,
            Point = point!.Value,
            Target = Target ?? "",
            Query = Query,
            Expect = expect,
            Attempts = Attempts ?? GateSpec.DefaultAttempts,
            Interval = interval,
            Timeout = timeout,
            Deadline = deadline,
        };
    }

    private void CheckTarget(GateKind kind, string field, ICollection<Violation> violations)
    {
        string? trouble = kind switch
        {
            GateKind.GuestProbe => string.IsNullOrEmpty(Target) ? null : "A guest-probe has no target: it is the guest's service.",
            GateKind.HostCommand => CommandForm().IsMatch(Target ?? "") ? null
                : $"'{Target}' is no file name in the hosts' directory of gate commands with arguments behind it, separated by blanks; at most {LongestCommand} characters.",
            _ => Uri.TryCreate(Target, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https"
                ? null : $"'{Target}' is no http or https URL.",
        };
        if (trouble is not null)
        {
            violations.Add(new Violation(field, trouble));
        }
    }

    private GateExpectation? ReadQuery(GateKind kind, string field, ICollection<Violation> violations)
    {
        if (kind == GateKind.Prometheus)
        {
            if (string.IsNullOrWhiteSpace(Query))
            {
                violations.Add(new Violation($"{field}.query", "A prometheus gate has a query."));
            }

            return GateExpectation.Parse(Expect ?? "", $"{field}.expect", violations);
        }

        foreach ((string name, string? value) in (ReadOnlySpan<(string, string?)>)[("query", Query), ("expect", Expect)])
        {
            if (value is not null)
            {
                violations.Add(new Violation($"{field}.{name}", "Only a prometheus gate has one."));
            }
        }

        return null;
    }

    [GeneratedRegex(@"\A(?=.{1,256}\z)[A-Za-z0-9_][A-Za-z0-9_.-]*( +[^\s\p{Cc}]+)*\z")]
    private static partial Regex CommandForm();
}
