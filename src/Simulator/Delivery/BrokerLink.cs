using System.Collections.Concurrent;
using System.Text.Json;
using MassTransit;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Simulator.Reporting;

namespace TwinKernel.Fleet.Simulator.Delivery;

/// <summary>The broker cannot be reached, in one sentence.</summary>
internal sealed class BrokerUnreachableException(string message, Exception inner) : Exception(message, inner);

/// <summary>
/// All hosts on two connections. What they say goes through one MassTransit bus, so that it is what an agent says. Their queues are consumed by
/// the broker's own client, many consumers on a channel: a MassTransit bus or endpoint for each of thousands would be thousands of
/// connections or channels (docs/decisions).
/// </summary>
internal sealed class BrokerLink : IFleetEvents, IAsyncDisposable
{
    /// <summary>As an agent's, per queue.</summary>
    private const ushort Prefetch = 8;
    private const string PaceExchange = $"TwinKernel.Fleet.Contracts.Messages:{nameof(PaceHeartbeats)}";
    private const int HostsPerChannel = 250;
    private const int MostChannels = 16;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestAway = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);
    private readonly IBusControl _bus;
    private readonly IConnection _connection;
    private readonly IReadOnlyList<IChannel> _channels;
    private readonly Tally _tally;
    private readonly ConcurrentDictionary<string, Subscription> _subscriptions = [];
    private int _next;

    private BrokerLink(IBusControl bus, IConnection connection, IReadOnlyList<IChannel> channels, Tally tally) =>
        (_bus, _connection, _channels, _tally) = (bus, connection, channels, tally);

    /// <exception cref="BrokerUnreachableException">It does not answer, or refuses.</exception>
    public static async Task<BrokerLink> ConnectAsync(Uri broker, int hosts, Tally tally, CancellationToken cancellationToken)
    {
        IBusControl bus = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.Host(broker, "twinfleet simulator", _ => { }));
        IConnection? connection = null;
        try
        {
            connection = await new ConnectionFactory { Uri = broker, ClientProvidedName = "twinfleet simulator" }.CreateConnectionAsync(cancellationToken).ConfigureAwait(false);
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(Patience);
            await bus.StartAsync(limit.Token).ConfigureAwait(false);
            List<IChannel> channels = [];
            for (int at = 0; at < Math.Clamp(hosts / HostsPerChannel, 1, MostChannels); at++)
            {
                IChannel channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
                await channel.BasicQosAsync(0, Prefetch, global: false, cancellationToken).ConfigureAwait(false);
                channels.Add(channel);
            }

            return new BrokerLink(bus, connection, channels, tally);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            if (connection is not null)
            {
                await connection.DisposeAsync().ConfigureAwait(false);
            }

            throw new BrokerUnreachableException($"The broker at {broker.Host}:{broker.Port} cannot be reached: {e.GetBaseException().Message}", e);
        }
    }

    public async Task PublishAsync<T>(T message, bool mustBeRouted, CancellationToken cancellationToken)
        where T : class
    {
        await _bus.Publish(
            message,
            context =>
            {
                if (mustBeRouted && context.TryGetPayload(out RabbitMqSendContext? onRabbitMq))
                {
                    onRabbitMq.Mandatory = true;
                }
            },
            cancellationToken).ConfigureAwait(false);
        _tally.Count(Counted.Published);
    }

    /// <summary>Makes the host's queue as its agent would, and hands on what comes until <see cref="LeaveAsync"/>. A broker that is away is waited for.</summary>
    /// <param name="host">Its name.</param>
    /// <param name="take">Returns when the command is journalled and may be let go.</param>
    /// <param name="answer">To a question; null: there is none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task ListenAsync(
        string host, Func<ExecuteStep, CancellationToken, Task> take, Func<HostMessage, object?> answer, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LongestAway);
        while (true)
        {
            try
            {
                await SubscribeAsync(host, take, answer, limit.Token).ConfigureAwait(false);
                return;
            }
            catch (Exception) when (!limit.IsCancellationRequested)
            {
                await Task.Delay(Again, limit.Token).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The host hears no more. Its queue stays, as an agent leaves it.</summary>
    public async Task LeaveAsync(string host)
    {
        if (_subscriptions.TryRemove(host, out Subscription? subscription))
        {
            await subscription.Left.CancelAsync().ConfigureAwait(false);
            try
            {
                await subscription.Channel.BasicCancelAsync(subscription.Tag).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // The broker is away, and with it the consumer; what comes after that is put back.
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        // What is not confirmed goes back to its queue.
        await _connection.DisposeAsync().ConfigureAwait(false);
        await _bus.StopAsync(Patience).ConfigureAwait(false);
    }

    private async Task SubscribeAsync(
        string host, Func<ExecuteStep, CancellationToken, Task> take, Func<HostMessage, object?> answer, CancellationToken cancellationToken)
    {
        string queue = QueueNames.Host(host);
        IChannel channel = _channels[Interlocked.Increment(ref _next) % _channels.Count];
        await channel.ExchangeDeclareAsync(queue, ExchangeType.Fanout, durable: true, cancellationToken: cancellationToken).ConfigureAwait(false);
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, cancellationToken: cancellationToken).ConfigureAwait(false);
        await channel.QueueBindAsync(queue, queue, "", cancellationToken: cancellationToken).ConfigureAwait(false);
        await channel.ExchangeDeclareAsync(PaceExchange, ExchangeType.Fanout, durable: true, cancellationToken: cancellationToken).ConfigureAwait(false);
        await channel.QueueBindAsync(queue, PaceExchange, "", cancellationToken: cancellationToken).ConfigureAwait(false);
        Subscription subscription = new(channel, $"{host}-{Guid.NewGuid():n}", new CancellationTokenSource());
        AsyncEventingBasicConsumer consumer = new(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            // The body is the client's own and only lent for now. Handled apart, so that one host does not wait for another.
            byte[] body = delivery.Body.ToArray();
            _ = Task.Run(() => HandleAsync(subscription, delivery.DeliveryTag, body, take, answer), CancellationToken.None);
            return Task.CompletedTask;
        };
        _subscriptions[host] = subscription;
        await channel.BasicConsumeAsync(queue, autoAck: false, subscription.Tag, consumer, cancellationToken).ConfigureAwait(false);
    }

    private async Task HandleAsync(
        Subscription subscription, ulong tag, byte[] body, Func<ExecuteStep, CancellationToken, Task> take, Func<HostMessage, object?> answer)
    {
        IChannel channel = subscription.Channel;
        try
        {
            subscription.Left.Token.ThrowIfCancellationRequested();
            HostMessage message = HostMessage.Read(body);
            if (message.Command is { } command)
            {
                await take(command, subscription.Left.Token).ConfigureAwait(false);
            }
            else if (answer(message) is { } said)
            {
                ISendEndpoint asker = await _bus.GetSendEndpoint(message.ResponseAddress!).ConfigureAwait(false);
                await asker.Send(said, context => context.RequestId = message.RequestId, subscription.Left.Token).ConfigureAwait(false);
                _tally.Count(Counted.Inspection);
            }

            await channel.BasicAckAsync(tag, multiple: false).ConfigureAwait(false);
        }
        catch (JsonException)
        {
            _tally.Count(Counted.Unreadable);
            await PutBackAsync(channel, tag, again: false).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The agent ends, or the broker is away: it comes again.
            await PutBackAsync(channel, tag, again: true).ConfigureAwait(false);
        }
    }

    private static async Task PutBackAsync(IChannel channel, ulong tag, bool again)
    {
        try
        {
            await channel.BasicRejectAsync(tag, requeue: again).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The channel has ended, and what it had is in its queue.
        }
    }

    private sealed record Subscription(IChannel Channel, string Tag, CancellationTokenSource Left);
}
