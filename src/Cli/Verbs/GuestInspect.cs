using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class GuestInspect
{
    public static Command Create(VerbFactory verb)
    {
        var guest = new Argument<string>("GUEST") { Description = "The guest's name" };
        var host = new Option<string>("--host") { Description = "Its host, when several have a guest of that name", HelpName = "HOST" };
        var command = verb.Create("inspect", "What is in a guest now: kernels, and who has which CPUs, memory and PCI functions", "twinfleet guests list", async run =>
        {
            var request = new InspectGuestRequest { Guest = run.Arguments.GetValue(guest), Host = run.Arguments.GetValue(host) ?? "" };
            var answer = await run.Connection.Client.InspectGuestAsync(request, run.Call());
            if (run.Json)
            {
                run.PrintJson(answer);
            }
            else
            {
                new InspectionReport(run.Surroundings).Print(answer);
            }

            return ExitCode.Done;
        });
        command.Arguments.Add(guest);
        command.Options.Add(host);
        return command;
    }
}
