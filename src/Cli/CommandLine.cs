using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using TwinKernel.Fleet.Cli.Probing;
using TwinKernel.Fleet.Cli.Verbs;

namespace TwinKernel.Fleet.Cli;

/// <summary>The commands of <c>twinfleet</c>.</summary>
internal static class CommandLine
{
    /// <summary>Longer than anything needs that stops when it is told to; the longest is a probe that reads its writes back.</summary>
    private static readonly TimeSpan TerminationPatience = TimeSpan.FromMinutes(3);

    /// <summary>Runs one command line. The result is one of <see cref="ExitCode"/>.</summary>
    public static async Task<int> RunAsync(string[] arguments, Surroundings surroundings, CancellationToken cancellationToken)
    {
        var parsed = Create(surroundings).Parse(arguments);
        if (parsed.Errors.Count > 0 && parsed.Action is ParseErrorAction or null)
        {
            foreach (var error in parsed.Errors)
            {
                await surroundings.Error.WriteLineAsync($"error: {error.Message}");
            }

            await surroundings.Error.WriteLineAsync($"Next: twinfleet {string.Join(' ', CommandPath(parsed))}--help");
            return ExitCode.Usage;
        }

        return await parsed.InvokeAsync(
            new InvocationConfiguration
            {
                Output = surroundings.Out,
                Error = surroundings.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TerminationPatience,
            },
            cancellationToken);
    }

    private static RootCommand Create(Surroundings surroundings)
    {
        var common = new CommonOptions(surroundings);
        var verb = new VerbFactory(surroundings, common);
        var root = new RootCommand("Upgrades the kernels of running machines.")
        {
            new Command("hosts", "Machines that run guests") { HostsList.Create(verb) },
            new Command("guests", "Virtual machines whose kernels are upgraded") { GuestsList.Create(verb) },
            new Command("guest", "One guest") { GuestInspect.Create(verb), FleetControl.CreateQuarantine(verb) },
            new Command("images", "Kernels that guests can be brought to") { ImagesList.Create(verb), ImageJudge.CreateDeny(verb), ImageJudge.CreateAllow(verb) },
            new Command("upgrade", "Upgrades of guests")
            {
                UpgradeStart.Create(verb),
                UpgradeShow.Create(verb),
                UpgradeList.Create(verb),
                UpgradeWatch.Create(verb),
            },
            ProbeService.Create(verb, common),
            Rollouts(verb),
            ScheduleVerbs.Create(verb),
            FleetControl.CreateStopAll(verb),
            new Command("fleet", "The fleet as a whole") { FleetControl.CreateStatus(verb), FleetControl.CreatePolicy(verb) },
            DeadLetterVerbs.Create(verb),
        };
        root.Options.Add(common.Coordinator);
        root.Options.Add(common.Json);
        root.Options.Add(common.Timeout);
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExitCodes((HelpAction)help.Action!);
        return root;
    }

    private static Command Rollouts(VerbFactory verb)
    {
        var rollouts = new Command("rollout", "One image brought to many guests, in waves")
        {
            RolloutPlanning.CreatePlan(verb),
            RolloutPlanning.CreateCreate(verb),
            RolloutShow.CreateList(verb),
            RolloutShow.Create(verb),
            RolloutShow.CreateWhy(verb),
            RolloutWatch.Create(verb),
            RolloutControl.CreateApprove(verb),
            RolloutShow.CreateAudit(verb),
        };
        foreach (var act in RolloutControl.Create(verb))
        {
            rollouts.Subcommands.Add(act);
        }

        return rollouts;
    }

    private static IEnumerable<string> CommandPath(ParseResult parsed)
    {
        var path = new Stack<string>();
        for (var result = parsed.CommandResult; result.Parent is System.CommandLine.Parsing.CommandResult parent; result = parent)
        {
            path.Push(result.Command.Name);
        }

        return path.Append("");
    }

    private sealed class HelpWithExitCodes(HelpAction help) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var result = help.Invoke(parseResult);
            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Exit codes:");
            foreach (var (code, meaning) in ExitCode.Table)
            {
                output.WriteLine($"  {code,-4} {meaning}");
            }

            output.WriteLine();
            return result;
        }
    }
}
