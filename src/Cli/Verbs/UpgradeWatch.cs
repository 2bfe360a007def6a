using System.CommandLine;
using TwinKernel.Fleet.Cli.Watching;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class UpgradeWatch
{
    public static Command Create(VerbFactory verb)
    {
        var id = UpgradeId.Create();
        var command = verb.Create("watch", "Follows an upgrade to its end", UpgradeId.LookUp, async run =>
        {
            // A name that is wrong, or a coordinator that is not there, is said at once; only what breaks later is waited for.
            var upgrade = await run.Connection.Client.GetUpgradeAsync(new GetUpgradeRequest { Id = run.Arguments.GetValue(id) }, run.Call());
            return await WatchSession.RunAsync(run, [upgrade]);
        });
        command.Arguments.Add(id);
        return command;
    }
}
