using System.CommandLine;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class ImageJudge
{
    public static Command CreateDeny(VerbFactory verb)
    {
        var reason = new Option<string>("--reason") { Description = "Why; shown to whoever wants the image", HelpName = "TEXT", Required = true };
        var command = Create(verb, "deny", "No guest is brought to the image any more; what is under way goes on", async (run, request) =>
        {
            request.Reason = run.Arguments.GetValue(reason)!;
            return await run.Connection.Client.DenyImageAsync(request, run.Call());
        });
        command.Options.Add(reason);
        return command;
    }

    public static Command CreateAllow(VerbFactory verb) =>
        Create(verb, "allow", "Guests may be brought to the image again", async (run, request) => await run.Connection.Client.AllowImageAsync(request, run.Call()));

    private static Command Create(VerbFactory verb, string name, string description, Func<Verb, JudgeImageRequest, Task<Image>> judge)
    {
        var image = new Argument<string>("IMAGE") { Description = "The image: its name, its digest, or the first 8 digits or more of that" };
        var actor = Actor.Create();
        var command = verb.Create(name, description, "twinfleet images list", async run =>
        {
            var answer = await judge(run, new JudgeImageRequest { Image = run.Arguments.GetValue(image), Actor = Actor.Of(run, actor) });
            if (run.Json)
            {
                run.PrintJson(answer);
            }
            else
            {
                await run.Surroundings.Out.WriteLineAsync($"Image {answer.Name} ({answer.Digest}) is {answer.State}{(answer.Reason.Length > 0 ? $": {answer.Reason}" : "")}.");
            }

            return ExitCode.Done;
        });
        command.Arguments.Add(image);
        command.Options.Add(actor);
        return command;
    }
}

/// <summary>Who asks, for the audit.</summary>
internal static class Actor
{
    private const string Variable = "USER";

    public static Option<string> Create() => new("--as") { Description = $"Who asks, for the audit. Default: ${Variable}", HelpName = "NAME" };

    public static string Of(Verb run, Option<string> option) =>
        run.Arguments.GetValue(option) ?? (run.Surroundings.Variable(Variable) is { Length: > 0 } user ? user : "unknown");
}
