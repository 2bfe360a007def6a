using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;
using NodaTime;
using TwinKernel.Fleet.Coordinator.Data;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Planning;
using TwinKernel.Fleet.Coordinator.Requests;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>What a rollout would do: guests, waves, times, blockers and a hash. Changes nothing.</summary>
public sealed class PlanRollout(FleetTransaction database, TimeProvider time)
{
    public Task<Wire.RolloutPlan> HandleAsync(Wire.PlanRolloutRequest request, CancellationToken cancellation) =>
        database.ReadAsync(async (db, stop) =>
        {
            List<Violation> violations = [];
            Planned? planned = await ReadAsync(db, request.Definition, null, time.GetUtcNow(), violations, stop);
            return violations.Count == 0 ? ToResponse(planned!) : throw Refusal.Invalid(violations);
        }, cancellation);

    /// <summary>A rollout that can be carried out, and how.</summary>
    internal sealed record Planned(RolloutOrder Order, ImageRecord Image, Plan Plan);

    /// <summary>Null with violations: everything that is wrong with the definition and with the fleet for it.</summary>
    /// <param name="db">The tables.</param>
    /// <param name="definition">JSON.</param>
    /// <param name="self">The rollout of which this is the definition, when there is one.</param>
    /// <param name="now">The coordinator's wall clock.</param>
    /// <param name="violations">Gets the errors.</param>
    /// <param name="cancellation">Gives up.</param>
    internal static async Task<Planned?> ReadAsync(
        FleetDbContext db, string definition, Guid? self, DateTimeOffset now, List<Violation> violations, CancellationToken cancellation)
    {
        if (RolloutOrder.Read(definition, violations) is not { } order)
        {
            return null;
        }

        if (order.Name.Length > 0 && await db.Rollouts.AnyAsync(rollout => rollout.Name == order.Name && rollout.Id != self, cancellation))
        {
            violations.Add(new Violation("name", $"rollout '{order.Name}' exists; choose another name."));
        }

        List<ImageRecord> fitting = order.Image.Length == 0 ? [] : await FindImage.InFleetAsync(db, order.Image, cancellation);
        if (fitting is not [ImageRecord image])
        {
            if (order.Image.Length > 0)
            {
                violations.Add(new Violation("image", fitting.Count == 0
                    ? $"'{order.Image}' is not known; see `twinfleet images list`."
                    : $"'{order.Image}' fits {fitting.Count} images ({string.Join(", ", fitting.Select(one => one.Digest))}); give more of the digest."));
            }

            return null;
        }

        // What the planner finds wrong with the form, reading the order has found already.
        PlanResult result = WavePlanner.Plan(order.Form, await FleetReader.ReadAsync(db, image, self, now, cancellation), Instant.FromDateTimeOffset(now));
        violations.AddRange(result.Violations.Except(violations));
        return violations.Count == 0 ? new Planned(order, image, result.Plan!) : null;
    }

    private static Wire.RolloutPlan ToResponse(Planned planned)
    {
        Wire.RolloutPlan answer = new()
        {
            Image = planned.Image.Digest,
            ImageName = planned.Image.Name,
            Hash = planned.Plan.Hash,
            Ends = At(planned.Plan.EndsAt),
            Notes = { planned.Plan.Notes },
        };
        answer.Waves.Add(planned.Plan.Waves.Select(wave => new Wire.PlannedWave
        {
            Name = wave.Rule.Name,
            Starts = At(wave.StartsAt),
            Ends = At(wave.EndsAt),
            Guests =
            {
                wave.Guests.Select(guest => new Wire.PlannedGuest
                {
                    Host = guest.Id.Host,
                    Guest = guest.Id.Name,
                    Starts = At(guest.StartsAt),
                    Ends = At(guest.EndsAt),
                    Blockers = { guest.Blockers.Select(blocker => blocker.Message) },
                }),
            },
        }));
        return answer;
    }

    private static Timestamp? At(Instant? instant) => instant is { } at ? Timestamp.FromDateTimeOffset(at.ToDateTimeOffset()) : null;
}
