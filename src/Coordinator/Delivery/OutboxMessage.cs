using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>A command that was decided and must reach its host's queue, in the order of <see cref="Id"/> per upgrade.</summary>
public sealed class OutboxMessage
{
    public long Id { get; set; }

    /// <summary>Made from what the message asks for, so that a message sent twice is the same message.</summary>
    public Guid MessageId { get; set; }
    public Guid UpgradeId { get; set; }
    public required string Queue { get; set; }

    /// <summary>An <see cref="Contracts.Messages.ExecuteStep"/> as JSON.</summary>
    public required string Body { get; set; }
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>After this moment the message is not worth sending.</summary>
    public DateTimeOffset ExpiresAt { get; set; }

    /// <summary>When the broker confirmed it.</summary>
    public DateTimeOffset? SentAt { get; set; }

    /// <summary>When it was given up unsent because <see cref="ExpiresAt"/> had passed.</summary>
    public DateTimeOffset? ExpiredAt { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<OutboxMessage>
    {
        public const string Waiting = "sent_at is null and expired_at is null";

        public void Configure(EntityTypeBuilder<OutboxMessage> table)
        {
            table.ToTable("outbox");
            table.HasKey(message => message.Id);
            table.Property(message => message.Body).HasColumnType("jsonb");
            table.HasIndex(message => message.MessageId).IsUnique();
            table.HasIndex(message => new { message.UpgradeId, message.Id })
                .HasFilter(Waiting).HasDatabaseName("ix_outbox_waiting");
        }
    }
}
