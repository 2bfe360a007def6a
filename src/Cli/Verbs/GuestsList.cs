using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class GuestsList
{
    public static Command Create(VerbFactory verb)
    {
        var host = new Option<string>("--host") { Description = "Only those of this host", HelpName = "HOST" };
        var command = verb.Create("list", "Guests and the kernels they run", "twinfleet hosts list", async run =>
        {
            var answer = await run.Connection.Client.ListGuestsAsync(new ListGuestsRequest { Host = run.Arguments.GetValue(host) ?? "" }, run.Call());
            if (run.Json)
            {
                run.PrintJson(answer);
                return ExitCode.Done;
            }

            var listing = new Listing(run.Surroundings.OnTerminal, "GUEST", "HOST", "STATE", "KERNEL", "CPUS", "MEMORY", "BOOT ID", "IMAGE", "UPGRADE", "LABELS").AlignRight(5);
            foreach (var guest in answer.Guests)
            {
                listing.Add(guest.Name, guest.Host, guest.State, guest.KernelRelease, $"{guest.CpusOnline} of {guest.CpusPresent}", Units.Bytes(guest.MemoryBytes), guest.BootId, Units.Digest(guest.Image), guest.ActiveUpgrade.Length == 0 ? "-" : guest.ActiveUpgrade, Units.Labels(guest.Labels.Where(label => label.Key is not ("host" or "guest"))));
            }

            listing.Print(run.Surroundings, "No guests. Host agents start those of their configuration (Host:Guests).");
            return ExitCode.Done;
        });
        command.Options.Add(host);
        return command;
    }
}
