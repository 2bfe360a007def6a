using System.CommandLine;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

/// <summary>What concerns the fleet as a whole: the emergency stop, its policy, guests that are kept out of rollouts.</summary>
internal static class FleetControl
{
    public static Command CreateStopAll(VerbFactory verb)
    {
        var reason = new Option<string>("--reason") { Description = "Why; needed to stop", HelpName = "TEXT" };
        var release = new Option<bool>("--release") { Description = "End the stop; rollouts go on where they are" };
        var letFinish = new Option<bool>("--let-finish") { Description = "Guests that run finish, instead of going back to their old kernel" };
        var actor = Actor.Create();
        var command = verb.Create("stop-all", "Emergency stop of the whole fleet: nothing begins, and guests whose commit has not begun go back to their old kernel", "twinfleet fleet status", async run =>
            await ReportAsync(run, await run.Connection.Client.StopFleetAsync(new StopFleetRequest
            {
                Release = run.Arguments.GetValue(release),
                LetFinish = run.Arguments.GetValue(letFinish),
                Reason = run.Arguments.GetValue(reason) ?? "",
                Actor = Actor.Of(run, actor),
            }, run.Call())));
        foreach (var option in (Option[])[reason, release, letFinish, actor])
        {
            command.Options.Add(option);
        }

        return command;
    }

    public static Command CreateStatus(VerbFactory verb) =>
        verb.Create("status", "Whether the fleet is stopped, what runs, and its policy", "twinfleet fleet status", async run =>
            await ReportAsync(run, await run.Connection.Client.GetFleetStatusAsync(new GetFleetStatusRequest(), run.Call())));

    public static Command CreatePolicy(VerbFactory verb)
    {
        var file = new Option<FileInfo>("--file") { Description = "JSON: {\"limits\": [...], \"calendars\": [...]} (docs/rollouts.md)", HelpName = "FILE", Required = true };
        file.AcceptExistingOnly();
        var actor = Actor.Create();
        var command = verb.Create("policy", "Sets the fleet's own limits and blackout calendars", "twinfleet fleet status", async run =>
            await ReportAsync(run, await run.Connection.Client.SetFleetPolicyAsync(new SetFleetPolicyRequest
            {
                Policy = await File.ReadAllTextAsync(run.Arguments.GetValue(file)!.FullName, run.Cancellation),
                Actor = Actor.Of(run, actor),
            }, run.Call())));
        command.Options.Add(file);
        command.Options.Add(actor);
        return command;
    }

    public static Command CreateQuarantine(VerbFactory verb)
    {
        var guest = new Argument<string>("HOST/GUEST") { Description = "The guest" };
        var reason = new Option<string>("--reason") { Description = "Why; needed to keep it out", HelpName = "TEXT" };
        var release = new Option<bool>("--release") { Description = "Let it in again" };
        var actor = Actor.Create();
        var command = verb.Create("quarantine", "Keeps a guest out of rollouts, or lets it in again", "twinfleet guests list", async run =>
        {
            var name = run.Arguments.GetValue(guest)!.Split('/', 2);
            var answer = await run.Connection.Client.QuarantineGuestAsync(new QuarantineGuestRequest
            {
                Host = name.Length == 2 ? name[0] : "",
                Guest = name[^1],
                Release = run.Arguments.GetValue(release),
                Reason = run.Arguments.GetValue(reason) ?? "",
                Actor = Actor.Of(run, actor),
            }, run.Call());
            if (run.Json)
            {
                run.PrintJson(answer);
            }
            else
            {
                await run.Surroundings.Out.WriteLineAsync(answer.Quarantine.Length == 0
                    ? $"Guest {answer.Host}/{answer.Name} may be upgraded by rollouts."
                    : $"Guest {answer.Host}/{answer.Name} is in quarantine: {answer.Quarantine}");
            }

            return ExitCode.Done;
        });
        command.Arguments.Add(guest);
        foreach (var option in (Option[])[reason, release, actor])
        {
            command.Options.Add(option);
        }

        return command;
    }

    private static async Task<int> ReportAsync(Verb run, FleetStatus status)
    {
        if (run.Json)
        {
            run.PrintJson(status);
            return ExitCode.Done;
        }

        var output = run.Surroundings.Out;
        await output.WriteLineAsync(status.Stopped ? $"Nothing begins: {status.Reason}." : "The fleet is not stopped.");
        await output.WriteLineAsync($"Upgrades  {status.Running} active{(status.Aborted > 0 ? $", {status.Aborted} of them go back now" : "")}");
        await output.WriteLineAsync($"Policy    {status.Policy}");
        if (status.Stopped)
        {
            await output.WriteLineAsync("Next: twinfleet stop-all --release ends the stop");
        }

        return ExitCode.Done;
    }
}
