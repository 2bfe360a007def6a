using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class UpgradeList
{
    public static Command Create(VerbFactory verb)
    {
        var host = new Option<string>("--host") { Description = "Only those of this host", HelpName = "HOST" };
        var limit = new Option<int>("--limit") { Description = "At most so many, 1 to 1000", HelpName = "N", DefaultValueFactory = _ => 50 };
        limit.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, out var value) || value is < 1 or > 1000))
            {
                result.AddError($"--limit is \"{result.Tokens[0].Value}\"; it must be a number from 1 to 1000.");
            }
        });
        var command = verb.Create("list", "Upgrades, the newest first", "twinfleet hosts list", async run =>
        {
            var request = new ListUpgradesRequest { Host = run.Arguments.GetValue(host) ?? "", Limit = (uint)run.Arguments.GetValue(limit) };
            var answer = await run.Connection.Client.ListUpgradesAsync(request, run.Call());
            if (run.Json)
            {
                run.PrintJson(answer);
                return ExitCode.Done;
            }

            var listing = new Listing(run.Surroundings.OnTerminal, "UPGRADE", "GUEST", "HOST", "IMAGE", "STATE", "CREATED", "TOOK", "OUTAGE").AlignRight(6).AlignRight(7);
            foreach (var upgrade in answer.Upgrades)
            {
                listing.Add(
                    upgrade.Id,
                    upgrade.Guest,
                    upgrade.Host,
                    upgrade.ImageName,
                    upgrade.State,
                    Units.Moment(upgrade.Created),
                    upgrade.Finished is { } finished && upgrade.Created is { } created ? Units.Time(finished - created) : "-",
                    upgrade.Outage?.LongestGap is { } gap ? Units.Time(gap) : "-");
            }

            listing.Print(run.Surroundings, "No upgrades yet. Next: twinfleet upgrade start --host HOST --image IMAGE");
            return ExitCode.Done;
        });
        command.Options.Add(host);
        command.Options.Add(limit);
        return command;
    }
}
