using System.Text.Json;
using System.Text.Json.Serialization;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Limits;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Windows;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Control;

/// <summary>The fleet's own limits and its blackout calendars, all of them at once. They hold for every rollout from its next admission on.</summary>
public sealed class SetFleetPolicy(FleetTransaction transactions, TimeProvider time)
{
    private static readonly JsonSerializerOptions _json = new(FleetControl.Json)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private sealed record Policy
    {
        public IReadOnlyList<LimitForm>? Limits { get; init; }
        public IReadOnlyList<CalendarForm>? Calendars { get; init; }
    }

    public Task<Wire.FleetStatus> HandleAsync(Wire.SetFleetPolicyRequest request, CancellationToken cancellation)
    {
        List<(string Field, string Message)> wrong = [];
        ActorName.Check(request.Actor, wrong);
        List<Violation> violations = [.. wrong.Select(one => new Violation(one.Field, one.Message))];
        Policy policy = new();
        try
        {
            policy = JsonSerializer.Deserialize<Policy>(request.Policy, _json) ?? policy;
        }
        catch (JsonException e)
        {
            violations.Add(new Violation(e.Path?.TrimStart('$', '.') ?? "", "the policy is not of the form {\"limits\": [...], \"calendars\": [...]}."));
        }

        for (int i = 0; i < policy.Limits?.Count; i++)
        {
            policy.Limits[i].Read($"limits[{i}]", violations);
        }

        for (int i = 0; i < policy.Calendars?.Count; i++)
        {
            policy.Calendars[i].Read($"calendars[{i}]", violations);
        }

        violations.AddRange((policy.Calendars ?? []).GroupBy(calendar => calendar.Name).Where(same => same.Skip(1).Any())
            .Select(same => new Violation("calendars", $"'{same.Key}' is there more than once.")));
        return violations.Count > 0
            ? throw Refusal.Invalid(violations)
            : transactions.RunAsync(async (db, stop) =>
            {
                FleetControl control = await FleetControl.LockAsync(db, stop);
                control.Limits = JsonSerializer.Serialize(policy.Limits ?? [], _json);
                control.Calendars = JsonSerializer.Serialize(policy.Calendars ?? [], _json);
                db.Note(time.GetUtcNow(), request.Actor, "fleet-policy", "fleet", request.Policy);
                return await FleetStatus.ReadAsync(db, control, stop);
            }, cancellation);
    }
}
