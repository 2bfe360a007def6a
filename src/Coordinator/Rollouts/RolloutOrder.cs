using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using NodaTime;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>
/// A rollout as it was asked for: one JSON object with the members below beside those of <see cref="RolloutForm"/>. A member that is
/// not known is an error, so that a word written wrong does not go unnoticed.
/// </summary>
public sealed partial record RolloutOrder
{
    public static readonly Duration DefaultApproval = Duration.FromHours(24), ShortestApproval = Duration.FromMinutes(1), LongestApproval = Duration.FromDays(30);

    /// <summary>The longest text that is read, in characters.</summary>
    public const int LongestText = 256 * 1024;

    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        NumberHandling = JsonNumberHandling.Strict,
    };

    /// <summary><c>name</c>: unique among rollouts; 1 to 63 lower-case letters, digits, dots and hyphens.</summary>
    public required string Name { get; init; }

    /// <summary><c>image</c>: name, digest, or 8 digits or more of the digest's beginning.</summary>
    public required string Image { get; init; }

    /// <summary><c>requireSignature</c>, <c>onPanic</c>: as of a single upgrade.</summary>
    public bool RequireSignature { get; init; }
    public PanicPolicy OnPanic { get; init; }

    /// <summary><c>fourEyes</c>: another person must approve the plan before it is started.</summary>
    public bool FourEyes { get; init; }

    /// <summary><c>approvalLasts</c>: how long an approval may be used, 1m to 30d; 24h.</summary>
    public Duration ApprovalLasts { get; init; } = DefaultApproval;
    public required RolloutForm Form { get; init; }

    /// <summary>What could be read of the form: an order that came with violations must not be carried out.</summary>
    public required RolloutSpec Spec { get; init; }

    /// <summary>The rules of the waves as they were written, the canary's first; there may be none.</summary>
    public IReadOnlyList<WaveRule> Rules => [.. Spec.Canary is { } canary ? [canary] : Array.Empty<WaveRule>(), .. Spec.Waves];

    /// <summary>The rule of a wave that the planner has named; what no wave takes goes by the rules of the last.</summary>
    public WaveRule RuleOf(string wave) =>
        Rules.FirstOrDefault(rule => rule.Name == wave)
        ?? (Rules.Count > 0 ? Rules[^1] with { Name = wave, Size = new WaveSize.Rest() } : new WaveRule { Name = wave, Size = new WaveSize.Rest() });

    /// <summary>Null when the text is not even an object; otherwise what could be read, with every error.</summary>
    public static RolloutOrder? Read(string text, ICollection<Violation> violations)
    {
        if (text.Length > LongestText)
        {
            violations.Add(new Violation("", $"a rollout has at most {LongestText} characters, this one {text.Length}."));
            return null;
        }

        Own own;
        RolloutForm form;
        try
        {
            if (JsonNode.Parse(text) is not JsonObject all)
            {
                violations.Add(new Violation("", "a rollout is a JSON object: {\"name\": ..., \"image\": ..., ...}."));
                return null;
            }

            JsonObject ours = [];
            foreach (string member in (string[])["name", "image", "requireSignature", "onPanic", "fourEyes", "approvalLasts"])
            {
                if (all.TryGetPropertyValue(member, out JsonNode? value))
                {
                    all.Remove(member);
                    ours[member] = value;
                }
            }

            own = ours.Deserialize<Own>(_json)!;
            form = all.Deserialize<RolloutForm>(_json)!;
        }
        catch (JsonException e)
        {
            violations.Add(new Violation(e.Path?.TrimStart('$', '.') ?? "", $"is not what a rollout has there: {Plain(e)}"));
            return null;
        }

        return Read(own, form, violations);
    }

    private static RolloutOrder Read(Own own, RolloutForm form, ICollection<Violation> violations)
    {
        if (own.Name is not { } name || !NameForm().IsMatch(name))
        {
            violations.Add(new Violation("name", "must be 1 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit."));
        }

        if (own.Image is not { Length: > 0 and <= 128 })
        {
            violations.Add(new Violation("image", "must be an image's name, its digest, or 8 digits or more of the digest's beginning."));
        }

        PanicPolicy? onPanic = own.OnPanic switch { null or "reset" => PanicPolicy.Reset, "failover" => PanicPolicy.Failover, _ => null };
        if (onPanic is null)
        {
            violations.Add(new Violation("onPanic", $"'{own.OnPanic}' must be reset or failover."));
        }

        RolloutSpec spec = form.Read(violations);
        if (own.RequireSignature == true && spec.Strategy == UpgradeStrategy.Reboot)
        {
            violations.Add(new Violation("requireSignature", "is not possible with strategy reboot: the host starts the image, and no kernel is there to check it."));
        }

        if (onPanic == PanicPolicy.Failover && spec.Strategy is UpgradeStrategy.Kexec or UpgradeStrategy.Reboot)
        {
            violations.Add(new Violation("onPanic", "failover is not possible with strategy kexec or reboot: no second kernel stands by that could take over."));
        }

        return new RolloutOrder
        {
            Name = own.Name ?? "",
            Image = own.Image ?? "",
            RequireSignature = own.RequireSignature ?? false,
            OnPanic = onPanic ?? PanicPolicy.Reset,
            FourEyes = own.FourEyes ?? false,
            ApprovalLasts = DurationText.Read(own.ApprovalLasts, "approvalLasts", DefaultApproval, ShortestApproval, LongestApproval, violations),
            Form = form,
            Spec = spec,
        };
    }

    /// <summary>Of what was stored: it was read without an error before.</summary>
    public static RolloutOrder Of(RolloutRecord rollout)
    {
        List<Violation> violations = [];
        return Read(rollout.Definition!, violations) is { } order && violations.Count == 0
            ? order
            : throw new InvalidOperationException($"The definition of rollout {rollout.Id} cannot be read: {string.Join(" ", violations)}");
    }

    /// <summary>Without the names of our types.</summary>
    private static string Plain(JsonException e) => e.Message.Contains("could not be mapped", StringComparison.Ordinal)
        ? "there is no such member."
        : e.Message.Contains("could not be converted", StringComparison.Ordinal) ? "a value of another kind is expected." : e.Message;

    private sealed record Own
    {
        public string? Name { get; init; }
        public string? Image { get; init; }
        public bool? RequireSignature { get; init; }
        public string? OnPanic { get; init; }
        public bool? FourEyes { get; init; }
        public string? ApprovalLasts { get; init; }
    }

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\z")]
    private static partial Regex NameForm();
}
