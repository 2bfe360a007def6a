using Grpc.Core;
using TwinKernel.Fleet.Coordinator.Audit;
using TwinKernel.Fleet.Coordinator.Control;
using TwinKernel.Fleet.Coordinator.DeadLetters;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Rollouts;
using TwinKernel.Fleet.Coordinator.Schedules;
using TwinKernel.Fleet.Coordinator.Upgrades;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator;

/// <summary>What an operator asks, over gRPC; each call is the use case of the same name.</summary>
public sealed class FleetService(
    ListHosts hosts, ListGuests guests, InspectGuest inspect, ListImages images, JudgeImage judge, StartUpgrade start, ReadUpgrades read,
    PlanRollout plan, CreateRollout create, ControlRollout control, ReadRollouts rollouts, ListAudit audit,
    StopFleet stop, SetFleetPolicy policy, QuarantineGuest quarantine, ControlDeadLetters deadLetters,
    CreateSchedule createSchedule, ControlSchedule controlSchedule, ReadSchedules schedules)
    : Wire.Fleet.FleetBase
{
    public override Task<Wire.ListHostsResponse> ListHosts(Wire.ListHostsRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => hosts.HandleAsync(context.CancellationToken));

    public override Task<Wire.ListGuestsResponse> ListGuests(Wire.ListGuestsRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => guests.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.InspectGuestResponse> InspectGuest(Wire.InspectGuestRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => inspect.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.ListImagesResponse> ListImages(Wire.ListImagesRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => images.HandleAsync(context.CancellationToken));

    public override Task<Wire.Image> DenyImage(Wire.JudgeImageRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => judge.DenyAsync(request, context.CancellationToken));

    public override Task<Wire.Image> AllowImage(Wire.JudgeImageRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => judge.AllowAsync(request, context.CancellationToken));

    public override Task<Wire.StartUpgradeResponse> StartUpgrade(Wire.StartUpgradeRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => start.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Upgrade> GetUpgrade(Wire.GetUpgradeRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => read.GetAsync(request, context.CancellationToken));

    public override Task<Wire.ListUpgradesResponse> ListUpgrades(Wire.ListUpgradesRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => read.ListAsync(request, context.CancellationToken));

    public override Task WatchUpgrade(
        Wire.GetUpgradeRequest request, IServerStreamWriter<Wire.Upgrade> responseStream, ServerCallContext context) =>
        DatabaseAway.Tell(() => read.WatchAsync(request, responseStream, context.CancellationToken));

    public override Task<Wire.RolloutPlan> PlanRollout(Wire.PlanRolloutRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => plan.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Rollout> CreateRollout(Wire.CreateRolloutRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => create.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Rollout> ApproveRollout(Wire.ApproveRolloutRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => control.ApproveAsync(request, context.CancellationToken));

    public override Task<Wire.Rollout> ControlRollout(Wire.ControlRolloutRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => control.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Rollout> GetRollout(Wire.GetRolloutRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => rollouts.GetAsync(request, context.CancellationToken));

    public override Task<Wire.ListRolloutsResponse> ListRollouts(Wire.ListRolloutsRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => rollouts.ListAsync(request, context.CancellationToken));

    public override Task WatchRollout(
        Wire.GetRolloutRequest request, IServerStreamWriter<Wire.Rollout> responseStream, ServerCallContext context) =>
        DatabaseAway.Tell(() => rollouts.WatchAsync(request, responseStream, context.CancellationToken));

    public override Task<Wire.ListAuditResponse> ListAudit(Wire.ListAuditRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => audit.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.FleetStatus> StopFleet(Wire.StopFleetRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => stop.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.FleetStatus> GetFleetStatus(Wire.GetFleetStatusRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => stop.GetAsync(context.CancellationToken));

    public override Task<Wire.FleetStatus> SetFleetPolicy(Wire.SetFleetPolicyRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => policy.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Guest> QuarantineGuest(Wire.QuarantineGuestRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => quarantine.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Schedule> CreateSchedule(Wire.CreateScheduleRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => createSchedule.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Schedule> ControlSchedule(Wire.ControlScheduleRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => controlSchedule.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Schedule> GetSchedule(Wire.GetScheduleRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => schedules.GetAsync(request, context.CancellationToken));

    public override Task<Wire.ListSchedulesResponse> ListSchedules(Wire.ListSchedulesRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => schedules.ListAsync(context.CancellationToken));

    public override Task<Wire.DeadLetters> ListDeadLetters(Wire.ListDeadLettersRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => deadLetters.ListAsync(request, context.CancellationToken));

    public override Task<Wire.DeadLetters> ControlDeadLetters(Wire.ControlDeadLettersRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => deadLetters.HandleAsync(request, context.CancellationToken));
}
