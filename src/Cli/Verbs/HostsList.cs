using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class HostsList
{
    public static Command Create(VerbFactory verb) => verb.Create("list", "Hosts that have registered", "twinfleet hosts list", async run =>
    {
        var answer = await run.Connection.Client.ListHostsAsync(new ListHostsRequest(), run.Call());
        if (run.Json)
        {
            run.PrintJson(answer);
            return ExitCode.Done;
        }

        var listing = new Listing(run.Surroundings.OnTerminal, "HOST", "STATE", "GUESTS", "ACCELERATOR", "AGENT", "LAST SEEN", "LABELS").AlignRight(2);
        foreach (var host in answer.Hosts)
        {
            listing.Add(host.Name, host.Online ? "online" : "offline", Units.Count(host.Guests), host.Accelerator, host.AgentVersion, Units.Moment(host.LastSeen), Units.Labels(host.Labels));
        }

        listing.Print(run.Surroundings, "No host has registered. Start a host agent that uses the coordinator's broker.");
        return ExitCode.Done;
    });
}
