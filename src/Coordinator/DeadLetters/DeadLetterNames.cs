using MassTransit;
using TwinKernel.Fleet.Contracts.Messages;

namespace TwinKernel.Fleet.Coordinator.DeadLetters;

/// <summary>What no consumer could handle, and what none knew, goes to one queue of the whole fleet.</summary>
internal sealed class DeadLetterNames : IErrorQueueNameFormatter, IDeadLetterQueueNameFormatter
{
    public string FormatErrorQueueName(string queueName) => QueueNames.DeadLetters;

    public string FormatDeadLetterQueueName(string queueName) => QueueNames.DeadLetters;
}
