using System.Diagnostics;
using Npgsql;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace TwinKernel.Fleet.FleetBench;

/// <summary>The least that it could cost: the same messages and the same rows without anything of ours between.</summary>
internal static class Floor
{
    /// <summary>As a message of the contract in MassTransit's envelope has them.</summary>
    private const int MessageBytes = 1200;

    /// <summary>As many as the coordinator takes in at once.</summary>
    private const int AtOnce = 8;
    private const ushort Prefetch = 32;
    private const int Outstanding = 64;

    /// <summary>Each message is published durably, confirmed, consumed and acknowledged.</summary>
    /// <param name="broker">With a virtual host of its own.</param>
    /// <param name="messages">How many.</param>
    public static async Task<TimeSpan> BrokerAsync(Uri broker, long messages)
    {
        const string Queue = "floor";
        await using IConnection connection = await new ConnectionFactory { Uri = broker, ConsumerDispatchConcurrency = AtOnce }.CreateConnectionAsync();
        await using IChannel publishing = await connection.CreateChannelAsync(new CreateChannelOptions(true, true, consumerDispatchConcurrency: AtOnce));
        await using IChannel consuming = await connection.CreateChannelAsync(new CreateChannelOptions(false, false, consumerDispatchConcurrency: AtOnce));
        await publishing.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false);
        await consuming.BasicQosAsync(0, Prefetch, global: false);
        TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        long taken = 0;
        AsyncEventingBasicConsumer consumer = new(consuming);
        consumer.ReceivedAsync += async (_, delivery) =>
        {
            await consuming.BasicAckAsync(delivery.DeliveryTag, multiple: false);
            if (Interlocked.Increment(ref taken) == messages)
            {
                all.SetResult();
            }
        };
        byte[] body = new byte[MessageBytes];
        BasicProperties durable = new() { DeliveryMode = DeliveryModes.Persistent };
        long began = Stopwatch.GetTimestamp();
        await consuming.BasicConsumeAsync(Queue, autoAck: false, consumer);
        long sent = 0;
        await Task.WhenAll(Enumerable.Range(0, Outstanding).Select(async _ =>
        {
            while (Interlocked.Increment(ref sent) <= messages)
            {
                await publishing.BasicPublishAsync("", Queue, mandatory: true, durable, body);
            }
        }));
        await all.Task;
        return Stopwatch.GetElapsedTime(began);
    }

    /// <summary>Rows are written by so many transactions of the same size, one half inserted and one half updated by their key.</summary>
    /// <param name="database">An empty one.</param>
    /// <param name="transactions">How many.</param>
    /// <param name="rows">In all of them together.</param>
    public static async Task<TimeSpan> PostgresAsync(string database, long transactions, long rows)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database);
        await using (NpgsqlCommand make = source.CreateCommand(
            "create table floor (id uuid primary key, other uuid not null, name text not null, state text not null, at timestamptz not null, number bigint not null); create index on floor (other)"))
        {
            await make.ExecuteNonQueryAsync();
        }

        int each = (int)Math.Max(1, rows / transactions);
        long done = 0;
        long began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async _ =>
        {
            await using NpgsqlConnection connection = await source.OpenConnectionAsync();
            while (Interlocked.Increment(ref done) <= transactions)
            {
                await WriteAsync(connection, each);
            }
        }));
        return Stopwatch.GetElapsedTime(began);
    }

    private static async Task WriteAsync(NpgsqlConnection connection, int rows)
    {
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        await using NpgsqlBatch batch = new(connection, transaction);
        Guid id = Guid.Empty;
        for (int row = 0; row < rows; row++)
        {
            NpgsqlBatchCommand command;
            if (row % 2 == 0)
            {
                id = Guid.NewGuid();
                command = new NpgsqlBatchCommand("insert into floor values ($1, $1, 'a name of something', 'Accepted', now(), 1)");
            }
            else
            {
                command = new NpgsqlBatchCommand("update floor set state = 'Completed', number = number + 1 where id = $1");
            }

            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
            batch.BatchCommands.Add(command);
        }

        await batch.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
    }
}
