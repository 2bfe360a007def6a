using System.Diagnostics.CodeAnalysis;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server.Calls;

/// <summary>Makes an endpoint of every method that a stub binds.</summary>
internal sealed class EndpointBinder<[DynamicallyAccessedMembers(ServiceActivation.ServiceMembers)] TService>(Action<ServiceBinderBase, TService?> bind, GrpcServiceOptions options, ILogger logger, Action<IMethod, RequestDelegate> map) : ServiceBinderBase
    where TService : class
{
    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) =>
        Map<UnaryServerMethod<TRequest, TResponse>>(method, async (call, handle) =>
        {
            var request = await call.ReadSingleAsync(method.RequestMarshaller).ConfigureAwait(false);
            await call.WriteSingleAsync(method.ResponseMarshaller, await handle(request, call).ConfigureAwait(false)).ConfigureAwait(false);
        });

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) =>
        Map<ClientStreamingServerMethod<TRequest, TResponse>>(method, async (call, handle) =>
        {
            var requests = new RequestReader<TRequest>(call, method.RequestMarshaller);
            await call.WriteSingleAsync(method.ResponseMarshaller, await handle(requests, call).ConfigureAwait(false)).ConfigureAwait(false);
        });

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) =>
        Map<ServerStreamingServerMethod<TRequest, TResponse>>(method, async (call, handle) =>
        {
            var request = await call.ReadSingleAsync(method.RequestMarshaller).ConfigureAwait(false);
            await handle(request, new ResponseWriter<TResponse>(call, method.ResponseMarshaller), call).ConfigureAwait(false);
        });

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) =>
        Map<DuplexStreamingServerMethod<TRequest, TResponse>>(method, (call, handle) =>
            handle(new RequestReader<TRequest>(call, method.RequestMarshaller), new ResponseWriter<TResponse>(call, method.ResponseMarshaller), call));

    private void Map<THandler>(IMethod method, Func<HttpServerCall, THandler, Task> invoke)
        where THandler : Delegate =>
        map(method, http => HttpServerCall.RunAsync(http, method, options, logger, call =>
            ServiceActivation.UseAsync<TService>(http.RequestServices, service =>
            {
                var found = new HandlerOf<THandler>(method.FullName);
                bind(found, service);
                return invoke(call, found.Handler ?? throw new InvalidOperationException($"BindService does not bind {method.FullName}."));
            })));

    /// <summary>Takes one method's handler out of an instance's binding.</summary>
    private sealed class HandlerOf<THandler>(string fullName) : ServiceBinderBase
        where THandler : Delegate
    {
        public THandler? Handler { get; private set; }

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) => Take(method, handler);

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) => Take(method, handler);

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) => Take(method, handler);

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) => Take(method, handler);

        private void Take(IMethod method, Delegate? handler)
        {
            if (method.FullName == fullName)
            {
                Handler = (THandler?)handler;
            }
        }
    }
}
