using MassTransit;
using Microsoft.Extensions.Options;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Gates;
using TwinKernel.Fleet.HostAgent.Machines;

namespace TwinKernel.Fleet.HostAgent.Delivery;

/// <summary>Runs a gate command for a guest and answers whoever asked. That it cannot be run is an answer.</summary>
internal sealed class RunGateCommandConsumer(IOptions<AgentOptions> options, Func<string, IGuestMachine?> machines) : IConsumer<RunGateCommand>
{
    public async Task Consume(ConsumeContext<RunGateCommand> context)
    {
        RunGateCommand question = context.Message;
        GateCommandResult result = machines(question.Guest) is null
            ? new GateCommandResult(null, "", $"Host '{options.Value.Name}' has no guest '{question.Guest}' (Host:Guests).")
            : await GateCommand.RunAsync(options.Value, question.Guest, question.CommandLine, question.Timeout, context.CancellationToken).ConfigureAwait(false);
        await context.RespondAsync(new GateCommandEnded
        {
            Host = options.Value.Name,
            Guest = question.Guest,
            ExitCode = result.ExitCode,
            LastLine = result.LastLine,
            Problem = result.Problem,
        }).ConfigureAwait(false);
    }
}
