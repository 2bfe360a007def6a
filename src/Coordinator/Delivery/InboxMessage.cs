using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Upgrades;

namespace TwinKernel.Fleet.Coordinator.Delivery;

/// <summary>What a message of a host says about a step.</summary>
public enum StepWord
{
    Accepted = 1,
    Completed = 2,
    Failed = 3,
}

/// <summary>
/// A message that was taken in: never twice by message id, and, when it was handled, never twice by what it says
/// (upgrade, epoch, step, attempt, word). Written in the transaction of its effects.
/// </summary>
public sealed class InboxMessage
{
    public Guid MessageId { get; set; }
    public Guid UpgradeId { get; set; }
    public long Epoch { get; set; }
    public UpgradeStep Step { get; set; }

    /// <summary>The attempt that was running when the message came.</summary>
    public int Attempt { get; set; }
    public StepWord Word { get; set; }
    public DateTimeOffset ReceivedAt { get; set; }

    /// <summary>Null: handled.</summary>
    public IgnoredEvent? Ignored { get; set; }

    internal sealed class Map : IEntityTypeConfiguration<InboxMessage>
    {
        public void Configure(EntityTypeBuilder<InboxMessage> table)
        {
            table.ToTable("inbox");
            table.HasKey(message => message.MessageId);
            table.Property(message => message.MessageId).ValueGeneratedNever();
            table.HasIndex(message => new { message.UpgradeId, message.Epoch, message.Step, message.Attempt, message.Word })
                .IsUnique().HasFilter("ignored is null").HasDatabaseName("ux_inbox_handled_once");
            table.HasIndex(message => message.ReceivedAt);
        }
    }
}
