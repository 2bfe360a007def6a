using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Delivery;

namespace TwinKernel.Fleet.Coordinator.DeadLetters;

/// <summary>
/// The fleet's dead letters on the broker, for one request. What is taken and not settled goes back to its place when the request ends, and
/// nobody else sees it meanwhile.
/// </summary>
internal sealed class DeadLetterQueue : IAsyncDisposable
{
    private readonly IConnection _connection;
    private readonly IChannel _channel;

    private DeadLetterQueue(IConnection connection, IChannel channel, uint count) => (_connection, _channel, Count) = (connection, channel, count);

    /// <summary>How many there were when it was opened.</summary>
    public uint Count { get; }

    /// <exception cref="BrokerUnreachableException">The broker cannot be reached.</exception>
    public static async Task<DeadLetterQueue> OpenAsync(BrokerAddress broker, CancellationToken cancellation)
    {
        ConnectionFactory factory = new()
        {
            HostName = broker.Host,
            Port = broker.Port,
            VirtualHost = broker.VirtualHost,
            UserName = broker.User,
            Password = broker.Password,
            AutomaticRecoveryEnabled = false,
            ClientProvidedName = "twinfleet dead letters",
        };
        IConnection connection = await factory.CreateConnectionAsync(cancellation);
        try
        {
            // A message that nothing takes must not be settled here.
            IChannel channel = await connection.CreateChannelAsync(
                new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancellation);
            // As MassTransit declares it when it puts the first one away.
            await channel.ExchangeDeclareAsync(QueueNames.DeadLetters, ExchangeType.Fanout, durable: true, cancellationToken: cancellation);
            QueueDeclareOk queue = await channel.QueueDeclareAsync(
                QueueNames.DeadLetters, durable: true, exclusive: false, autoDelete: false, cancellationToken: cancellation);
            await channel.QueueBindAsync(QueueNames.DeadLetters, QueueNames.DeadLetters, "", cancellationToken: cancellation);
            return new DeadLetterQueue(connection, channel, queue.MessageCount);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes the next one; null: there is none.</summary>
    public Task<BasicGetResult?> TakeAsync(CancellationToken cancellation) => _channel.BasicGetAsync(QueueNames.DeadLetters, autoAck: false, cancellation);

    /// <summary>Puts it where it stood, and settles it when the broker has it there.</summary>
    /// <returns>Why that is not possible, and it stays; null: done.</returns>
    public async Task<string?> ReplayAsync(BasicGetResult taken, DeadLetter letter, CancellationToken cancellation)
    {
        (string exchange, string key) = letter.Queue.Length > 0 ? ("", letter.Queue) : (letter.Exchange, "");
        if (exchange.Length == 0 && key.Length == 0)
        {
            return $"{letter.Id} does not say where it came from; drop it.";
        }

        try
        {
            await _channel.BasicPublishAsync(exchange, key, mandatory: true, DeadLetter.Original(taken.BasicProperties), taken.Body, cancellation);
        }
        catch (PublishException)
        {
            return $"{letter.Id} cannot go back to {(key.Length > 0 ? key : exchange)}: nothing takes it there. Is its host gone for good? Then drop it.";
        }

        await DropAsync(taken, cancellation);
        return null;
    }

    public ValueTask DropAsync(BasicGetResult taken, CancellationToken cancellation) => _channel.BasicAckAsync(taken.DeliveryTag, multiple: false, cancellation);

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
