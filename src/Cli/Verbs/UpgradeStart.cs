using System.CommandLine;
using Grpc.Core;
using TwinKernel.Fleet.Cli.Watching;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class UpgradeStart
{
    public static Command Create(VerbFactory verb)
    {
        var host = new Option<string>("--host") { Description = "The host whose guests are upgraded", HelpName = "HOST", Required = true };
        var image = new Option<string>("--image") { Description = "The image: its name, its digest, or the first 8 digits or more of that", HelpName = "IMAGE", Required = true };
        var strategy = new Option<string>("--strategy")
        {
            Description = "How: twin keeps the workload running; kexec and reboot are fallbacks with an outage of one boot, after which memory is lost; auto takes the first that is possible",
            HelpName = "twin|kexec|reboot|auto",
            DefaultValueFactory = _ => "twin",
        };
        strategy.AcceptOnlyFromAmong("twin", "kexec", "reboot", "auto");
        var requireSignature = new Option<bool>("--require-signature") { Description = "Only an image whose signature the running kernel calls valid" };
        var onPanic = new Option<string>("--on-panic")
        {
            Description = "What a panic of the old kernel means while the new one stands by: reset as without an upgrade, or failover: the new one takes the machine over at once",
            HelpName = "reset|failover",
            DefaultValueFactory = _ => "reset",
        };
        onPanic.AcceptOnlyFromAmong("reset", "failover");
        var watch = new Option<bool>("--watch") { Description = "Follow the upgrades to their end" };
        var requestId = new Option<Guid?>("--request-id") { Description = "A UUID. Repeating a command with the same one starts nothing twice", HelpName = "UUID" };
        var command = verb.Create("start", "Upgrades every guest of a host, one upgrade per guest", "twinfleet hosts list and twinfleet images list show what there is", async run =>
        {
            var request = new StartUpgradeRequest
            {
                Host = run.Arguments.GetValue(host),
                Image = run.Arguments.GetValue(image),
                Strategy = run.Arguments.GetValue(strategy),
                RequireSignature = run.Arguments.GetValue(requireSignature),
                OnPanic = run.Arguments.GetValue(onPanic),
                RequestId = (run.Arguments.GetValue(requestId) ?? Guid.NewGuid()).ToString(),
            };
            StartUpgradeResponse started;
            try
            {
                started = await run.Connection.Client.StartUpgradeAsync(request, run.Call());
            }
            catch (RpcException e) when (MayHaveStarted(e.Status))
            {
                await run.Surroundings.Error.WriteLineAsync($"Whether upgrades were started is not known. Repeating the command with --request-id {request.RequestId} starts nothing twice.");
                throw;
            }

            if (run.Arguments.GetValue(watch))
            {
                return await WatchSession.RunAsync(run, started.Upgrades);
            }

            if (run.Json)
            {
                run.PrintJson(started);
                return ExitCode.Done;
            }

            foreach (var upgrade in started.Upgrades)
            {
                await run.Surroundings.Out.WriteLineAsync($"Started upgrade {upgrade.Id} of guest {upgrade.Guest} to {upgrade.ImageName}.");
            }

            await run.Surroundings.Out.WriteLineAsync($"Next: twinfleet upgrade watch {(started.Upgrades.Count == 1 ? started.Upgrades[0].Id : "ID")}");
            return ExitCode.Done;
        });
        command.Options.Add(host);
        command.Options.Add(image);
        command.Options.Add(strategy);
        command.Options.Add(requireSignature);
        command.Options.Add(onPanic);
        command.Options.Add(watch);
        command.Options.Add(requestId);
        return command;
    }

    private static bool MayHaveStarted(Status status) =>
        status.StatusCode is StatusCode.DeadlineExceeded or StatusCode.Cancelled or StatusCode.Unavailable or StatusCode.Unknown or StatusCode.Internal
        && status.DebugException is not HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError };
}
