using System.CommandLine;
using Grpc.Core;
using TwinKernel.Fleet.Cli.Coordinator;

namespace TwinKernel.Fleet.Cli.Verbs;

/// <summary>Makes a command of what it does: connects it, and turns what it meets into text and exit code.</summary>
internal sealed class VerbFactory(Surroundings surroundings, CommonOptions common)
{
    /// <param name="name">The verb.</param>
    /// <param name="description">For <c>--help</c>.</param>
    /// <param name="lookUp">What to do next when something was not found.</param>
    /// <param name="run">The command; its result is the exit code.</param>
    public Command Create(string name, string description, string lookUp, Func<Verb, Task<int>> run)
    {
        var command = new Command(name, description);
        command.SetAction(async (arguments, cancellation) =>
        {
            using var connection = new FleetConnection(arguments.GetValue(common.Coordinator)!);
            var verb = new Verb(surroundings, arguments, connection, arguments.GetValue(common.Json), arguments.GetValue(common.Timeout), cancellation);
            try
            {
                return await run(verb);
            }
            catch (Exception e) when (e is RpcException or OperationCanceledException && cancellation.IsCancellationRequested)
            {
                await surroundings.Error.WriteLineAsync("Interrupted.");
                return ExitCode.Interrupted;
            }
            catch (RpcException e)
            {
                var failure = Failure.Of(e.Status, e.Trailers, connection.Address, lookUp);
                failure.Print(surroundings.Error);
                return failure.ExitCode;
            }
        });
        return command;
    }
}
