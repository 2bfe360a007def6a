using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

/// <summary>Messages that nobody could handle.</summary>
internal static class DeadLetterVerbs
{
    private const string LookUp = "twinfleet dead-letters list";

    public static Command Create(VerbFactory verb) => new("dead-letters", "Messages that no coordinator and no agent could handle")
    {
        CreateList(verb),
        CreateAct(verb, "replay", "Puts messages back where they stood, when the cause is gone", "put back"),
        CreateAct(verb, "drop", "Throws messages away", "dropped"),
    };

    private static Command CreateList(VerbFactory verb)
    {
        var limit = new Option<uint>("--limit") { Description = "At most this many, oldest first. Default: 100", HelpName = "N" };
        var command = verb.Create("list", "How many there are, which, and why", LookUp, async run =>
        {
            var answer = await run.Connection.Client.ListDeadLettersAsync(new ListDeadLettersRequest { Limit = run.Arguments.GetValue(limit) }, run.Call());
            if (run.Json)
            {
                run.PrintJson(answer);
                return ExitCode.Done;
            }

            Print(run, answer, "There are no dead letters.");
            if (answer.Count > answer.Letters.Count)
            {
                await run.Surroundings.Out.WriteLineAsync($"{answer.Count} in all");
            }

            return ExitCode.Done;
        });
        command.Options.Add(limit);
        return command;
    }

    private static Command CreateAct(VerbFactory verb, string act, string description, string done)
    {
        var ids = new Argument<string[]>("ID") { Description = "Messages, as `twinfleet dead-letters list` shows them", Arity = ArgumentArity.ZeroOrMore };
        var all = new Option<bool>("--all") { Description = "All that are there now" };
        var actor = Actor.Create();
        var command = verb.Create(act, description, LookUp, async run =>
        {
            var request = new ControlDeadLettersRequest { Act = act, All = run.Arguments.GetValue(all), Actor = Actor.Of(run, actor) };
            request.Ids.Add(run.Arguments.GetValue(ids));
            var answer = await run.Connection.Client.ControlDeadLettersAsync(request, run.Call());
            if (run.Json)
            {
                run.PrintJson(answer);
            }
            else
            {
                Print(run, answer, $"Nothing was {done}.");
                await run.Surroundings.Out.WriteLineAsync($"{answer.Letters.Count} {done}, {answer.Count} left");
            }

            foreach (var problem in answer.Problems)
            {
                await run.Surroundings.Error.WriteLineAsync($"error: {problem}");
            }

            return answer.Problems.Count == 0 ? ExitCode.Done : ExitCode.Refused;
        });
        command.Arguments.Add(ids);
        command.Options.Add(all);
        command.Options.Add(actor);
        return command;
    }

    private static void Print(Verb run, DeadLetters answer, string whenEmpty)
    {
        var listing = new Listing(run.Surroundings.OnTerminal, "ID", "SINCE", "TYPE", "QUEUE", "REASON");
        foreach (var letter in answer.Letters)
        {
            listing.Add(letter.Id, letter.At is null ? "-" : Units.Moment(letter.At), letter.Type.Length > 0 ? letter.Type : "-",
                letter.Queue.Length > 0 ? letter.Queue : "-", letter.Reason);
        }

        listing.Print(run.Surroundings, whenEmpty);
    }
}
