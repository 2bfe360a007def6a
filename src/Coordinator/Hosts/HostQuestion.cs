using Grpc.Core;
using MassTransit;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Requests;

namespace TwinKernel.Fleet.Coordinator.Hosts;

/// <summary>Asks a host's agent something over its queue and waits for the answer, which is kept nowhere.</summary>
public sealed class HostQuestion(IBus bus)
{
    /// <exception cref="RpcException">FAILED_PRECONDITION: no answer came in time. UNAVAILABLE: the broker could not be asked.</exception>
    public async Task<TAnswer> AskAsync<TQuestion, TAnswer>(string host, TQuestion question, TimeSpan within, CancellationToken cancellation)
        where TQuestion : class
        where TAnswer : class
    {
        IRequestClient<TQuestion> client = bus.CreateRequestClient<TQuestion>(new Uri($"queue:{QueueNames.Host(host)}"), within);
        try
        {
            return (await client.GetResponse<TAnswer>(question, cancellation)).Message;
        }
        catch (RequestTimeoutException)
        {
            throw Refusal.NotReady([("host",
                $"The agent of host {host} did not answer within {within.TotalSeconds:0.#} s; see that it runs and reaches the broker.")]);
        }
        catch (RequestException e) when (!cancellation.IsCancellationRequested)
        {
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, $"The broker could not be asked: {e.GetBaseException().Message}"));
        }
    }
}
