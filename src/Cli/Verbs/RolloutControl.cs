using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

/// <summary>The acts of a person on a rollout: one verb each.</summary>
internal static class RolloutControl
{
    public const string LookUp = "twinfleet rollout list shows the rollouts there are";

    private static readonly (string Act, string Description)[] Acts =
    [
        ("start", "Begins the first wave"),
        ("pause", "Nothing more begins; guests that run finish"),
        ("resume", "Ends a pause"),
        ("promote", "Lets the next wave begin"),
        ("cancel", "Ends the rollout; guests that run finish"),
        ("abort", "Ends the rollout now; guests whose commit has not begun go back to their old kernel"),
        ("undo", "Brings every guest that the rollout upgraded back to the image it came from"),
        ("retry", "Guests of the current wave that failed try again"),
    ];

    public static Argument<string> Rollout() => new("ROLLOUT") { Description = "The rollout's name, its id, or the first 8 digits or more of that" };

    public static IEnumerable<Command> Create(VerbFactory verb) => Acts.Select(act => Create(verb, act.Act, act.Description));

    public static Command CreateApprove(VerbFactory verb)
    {
        var rollout = Rollout();
        var hash = new Option<string>("--plan-hash") { Description = "The plan that is approved, as rollout show has it", HelpName = "HASH", Required = true };
        var actor = Actor.Create();
        var command = verb.Create("approve", "Approves the plan of a rollout that another person made", LookUp, async run => Report(run, await run.Connection.Client.ApproveRolloutAsync(
            new ApproveRolloutRequest { Rollout = run.Arguments.GetValue(rollout), PlanHash = run.Arguments.GetValue(hash), Actor = Actor.Of(run, actor) }, run.Call())));
        command.Arguments.Add(rollout);
        command.Options.Add(hash);
        command.Options.Add(actor);
        return command;
    }

    /// <returns>The exit code.</returns>
    public static int Report(Verb run, Rollout rollout)
    {
        if (run.Json)
        {
            run.PrintJson(rollout);
            return ExitCode.Done;
        }

        run.Surroundings.Out.WriteLine($"Rollout {rollout.Name} is {rollout.State}. {rollout.WaitsFor}".TrimEnd());
        run.Surroundings.Out.WriteLine($"Plan      {rollout.PlanHash}");
        run.Surroundings.Out.WriteLine($"Next: twinfleet rollout {(rollout.State == "Ready" ? "start" : rollout.Ended ? "show" : "watch")} {rollout.Name}");
        return ExitCode.Done;
    }

    private static Command Create(VerbFactory verb, string act, string description)
    {
        var rollout = Rollout();
        var reason = new Option<string>("--reason") { Description = "Why, for those who look at it later", HelpName = "TEXT" };
        var actor = Actor.Create();
        var command = verb.Create(act, description, LookUp, async run => Report(run, await run.Connection.Client.ControlRolloutAsync(
            new ControlRolloutRequest
            {
                Rollout = run.Arguments.GetValue(rollout),
                Act = act,
                Reason = run.Arguments.GetValue(reason) ?? "",
                Actor = Actor.Of(run, actor),
            }, run.Call())));
        command.Arguments.Add(rollout);
        command.Options.Add(reason);
        command.Options.Add(actor);
        return command;
    }
}
