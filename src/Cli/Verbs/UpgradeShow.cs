using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class UpgradeShow
{
    public static Command Create(VerbFactory verb)
    {
        var id = UpgradeId.Create();
        var command = verb.Create("show", "One upgrade: steps, times, outage, kernels", UpgradeId.LookUp, async run =>
        {
            var upgrade = await run.Connection.Client.GetUpgradeAsync(new GetUpgradeRequest { Id = run.Arguments.GetValue(id) }, run.Call());
            if (run.Json)
            {
                run.PrintJson(upgrade);
            }
            else
            {
                new UpgradeReport(run.Surroundings).Print(upgrade);
            }

            return ExitCode.Done;
        });
        command.Arguments.Add(id);
        return command;
    }
}

/// <summary>The argument that names an upgrade.</summary>
internal static class UpgradeId
{
    public const string LookUp = "twinfleet upgrade list shows the upgrades there are";

    public static Argument<string> Create() => new("ID") { Description = "The upgrade's id, or its first 8 digits or more" };
}
