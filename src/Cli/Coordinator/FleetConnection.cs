using Grpc.Net.Client;
using FleetService = TwinKernel.Fleet.Contracts.Fleet.Fleet;

namespace TwinKernel.Fleet.Cli.Coordinator;

/// <summary>A connection to the coordinator that notices when the other side has gone without a word.</summary>
internal sealed class FleetConnection : IDisposable
{
    private readonly GrpcChannel channel;

    public FleetConnection(Uri address)
    {
        Address = address;
        channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions
        {
            DisposeHttpClient = true,
            HttpHandler = new SocketsHttpHandler
            {
                ConnectTimeout = TimeSpan.FromSeconds(5),
                KeepAlivePingDelay = TimeSpan.FromSeconds(10),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
                KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
                AllowAutoRedirect = false,
                UseProxy = !address.IsLoopback,
            },
        });
        Client = new FleetService.FleetClient(channel);
    }

    public Uri Address { get; }

    public FleetService.FleetClient Client { get; }

    public void Dispose() => channel.Dispose();
}
