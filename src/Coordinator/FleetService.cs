using Grpc.Core;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Hosts;
using TwinKernel.Fleet.Coordinator.Images;
using TwinKernel.Fleet.Coordinator.Requests;
using TwinKernel.Fleet.Coordinator.Upgrades;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator;

/// <summary>What an operator asks, over gRPC; each call is the use case of the same name.</summary>
public sealed class FleetService(
    ListHosts hosts, ListGuests guests, InspectGuest inspect, ListImages images, StartUpgrade start, ReadUpgrades read)
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

    public override Task<Wire.StartUpgradeResponse> StartUpgrade(Wire.StartUpgradeRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => start.HandleAsync(request, context.CancellationToken));

    public override Task<Wire.Upgrade> GetUpgrade(Wire.GetUpgradeRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => read.GetAsync(request, context.CancellationToken));

    public override Task<Wire.ListUpgradesResponse> ListUpgrades(Wire.ListUpgradesRequest request, ServerCallContext context) =>
        DatabaseAway.Tell(() => read.ListAsync(request, context.CancellationToken));

    public override Task WatchUpgrade(
        Wire.GetUpgradeRequest request, IServerStreamWriter<Wire.Upgrade> responseStream, ServerCallContext context) =>
        DatabaseAway.Tell(() => read.WatchAsync(request, responseStream, context.CancellationToken));
}
