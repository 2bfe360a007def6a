using Grpc.Core;
using Grpc.Net.Client;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.HostAgent.Machines;
using GuestClient = TwinKernel.Fleet.Contracts.Guest.GuestAgent.GuestAgentClient;
using GuestStatus = TwinKernel.Fleet.Contracts.Guest.Status;

namespace TwinKernel.Fleet.HostAgent.GuestLink;

/// <summary>
/// One connection to the agent in a guest. The kernel behind the address may change, and a connection dies with
/// the kernel that held it: open a new one after a cut-over rather than wait for an old one to notice.
/// </summary>
internal sealed class GuestConnection : IDisposable
{
    private readonly SocketsHttpHandler _handler;
    private readonly GrpcChannel _channel;
    private readonly Metadata _headers;

    public GuestConnection(MachineEndpoint endpoint)
    {
        Endpoint = endpoint;
        _handler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(5),
            UseProxy = false,
            // QEMU accepts for the guest at once, whether or not the guest lives: only pings tell.
            KeepAlivePingDelay = TimeSpan.FromSeconds(5),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
        };
        _channel = GrpcChannel.ForAddress(endpoint.Agent, new GrpcChannelOptions { HttpHandler = _handler });
        _headers = new Metadata { { "authorization", "Bearer " + endpoint.Token } };
        Client = new GuestClient(_channel);
    }

    public MachineEndpoint Endpoint { get; }

    public GuestClient Client { get; }

    public CallOptions Options(DateTimeOffset? deadline, CancellationToken cancellationToken) =>
        new(_headers, deadline?.UtcDateTime, cancellationToken);

    /// <summary>Asks once, over a connection of its own.</summary>
    /// <exception cref="RpcException">It did not answer in time, or refuses the token.</exception>
    public static async Task<GuestStatus> AskStatusAsync(MachineEndpoint endpoint, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using GuestConnection connection = new(endpoint);
        return await connection.StatusAsync(timeout, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// As above; null when nobody answers, or one who does not know the guest's token: kernel B's agent may answer before the token has
    /// reached it, at a cut-over and in a new boot alike.
    /// </summary>
    /// <exception cref="OperationCanceledException">The caller gave up.</exception>
    public static async Task<GuestStatus?> TryAskStatusAsync(MachineEndpoint endpoint, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            return await AskStatusAsync(endpoint, timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e) when (e.IsTransport() || e.StatusCode == StatusCode.Unauthenticated)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }

    /// <summary>Asks once who has what in the guest, over a connection of its own.</summary>
    /// <exception cref="RpcException">It did not answer in time, or refuses the token.</exception>
    public static async Task<Inspection> InspectAsync(MachineEndpoint endpoint, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using GuestConnection connection = new(endpoint);
        return await connection.AskAsync(options => connection.Client.InspectAsync(new InspectRequest(), options), timeout, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks once, over this connection.</summary>
    /// <exception cref="RpcException">It did not answer in time, or refuses the token.</exception>
    public Task<GuestStatus> StatusAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        AskAsync(options => Client.GetStatusAsync(new StatusRequest(), options), timeout, cancellationToken);

    public void Dispose()
    {
        _channel.Dispose();
        _handler.Dispose();
    }

    private async Task<T> AskAsync<T>(Func<CallOptions, AsyncUnaryCall<T>> call, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Endpoint.Gone);
        limit.CancelAfter(timeout);
        try
        {
            return await call(Options(null, limit.Token)).ResponseAsync.ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && limit.IsCancellationRequested && e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            throw new RpcException(new global::Grpc.Core.Status(StatusCode.Unavailable, Endpoint.Gone.IsCancellationRequested ? "the machine has ended" : $"no answer within {timeout}"));
        }
    }
}
