using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

internal static class RolloutShow
{
    public static Command Create(VerbFactory verb)
    {
        var rollout = RolloutControl.Rollout();
        var command = verb.Create("show", "One rollout: waves, guests, gates, approvals", RolloutControl.LookUp, async run =>
        {
            var answer = await GetAsync(run, rollout);
            if (run.Json)
            {
                run.PrintJson(answer);
            }
            else
            {
                new RolloutReport(run.Surroundings).Print(answer);
            }

            return ExitCode.Done;
        });
        command.Arguments.Add(rollout);
        return command;
    }

    public static Command CreateWhy(VerbFactory verb)
    {
        var rollout = RolloutControl.Rollout();
        var guest = new Argument<string?>("HOST/GUEST") { Description = "One guest; all when left out", Arity = ArgumentArity.ZeroOrOne };
        var command = verb.Create("why", "What each guest of a rollout waits for, in one sentence", RolloutControl.LookUp, async run =>
        {
            var answer = await GetAsync(run, rollout);
            var wanted = run.Arguments.GetValue(guest);
            var members = answer.Members.Where(member => wanted is null || $"{member.Host}/{member.Guest}" == wanted).ToList();
            if (members.Count == 0)
            {
                await run.Surroundings.Error.WriteLineAsync(wanted is null ? $"error: rollout {answer.Name} has no guests" : $"error: rollout {answer.Name} has no guest {wanted}");
                await run.Surroundings.Error.WriteLineAsync($"Next: twinfleet rollout show {answer.Name}");
                return ExitCode.NotFound;
            }

            foreach (var member in members)
            {
                if (run.Json)
                {
                    run.PrintJson(member);
                }
                else
                {
                    await run.Surroundings.Out.WriteLineAsync($"{member.Host}/{member.Guest}: {member.Why}");
                }
            }

            return ExitCode.Done;
        });
        command.Arguments.Add(rollout);
        command.Arguments.Add(guest);
        return command;
    }

    public static Command CreateList(VerbFactory verb)
    {
        var open = new Option<bool>("--open") { Description = "Only those that have not ended" };
        var command = verb.Create("list", "Rollouts, the newest first", RolloutControl.LookUp, async run =>
        {
            var answer = await run.Connection.Client.ListRolloutsAsync(new ListRolloutsRequest { Open = run.Arguments.GetValue(open) }, run.Call());
            if (run.Json)
            {
                run.PrintJson(answer);
                return ExitCode.Done;
            }

            var listing = new Listing(run.Surroundings.OnTerminal, "ROLLOUT", "IMAGE", "STATE", "WAVE", "GUESTS", "DONE", "FAILED", "CREATED", "BY").AlignRight(4).AlignRight(5).AlignRight(6);
            foreach (var rollout in answer.Rollouts)
            {
                listing.Add(rollout.Name, rollout.ImageName, rollout.State, $"{rollout.Wave} of {rollout.Waves.Count}",
                    Units.Count((ulong)rollout.Waves.Sum(wave => wave.Guests)), Units.Count(RolloutReport.Count(rollout, "Succeeded")),
                    Units.Count(RolloutReport.Count(rollout, "Failed")), Units.Moment(rollout.Created), rollout.CreatedBy);
            }

            listing.Print(run.Surroundings, "No rollouts yet. Next: twinfleet rollout plan --name NAME --image IMAGE --selector SELECTOR");
            return ExitCode.Done;
        });
        command.Options.Add(open);
        return command;
    }

    public static Command CreateAudit(VerbFactory verb)
    {
        var rollout = new Argument<string?>("ROLLOUT") { Description = "One rollout; everything when left out", Arity = ArgumentArity.ZeroOrOne };
        var command = verb.Create("audit", "Who did what, the newest last", RolloutControl.LookUp, async run =>
        {
            var answer = await run.Connection.Client.ListAuditAsync(new ListAuditRequest { Rollout = run.Arguments.GetValue(rollout) ?? "" }, run.Call());
            if (run.Json)
            {
                run.PrintJson(answer);
                return ExitCode.Done;
            }

            var listing = new Listing(run.Surroundings.OnTerminal, "AT", "WHO", "ACT", "WHAT", "DETAIL");
            foreach (var entry in answer.Entries)
            {
                listing.Add(Units.Moment(entry.At), entry.Actor, entry.Act, entry.Subject, entry.Detail);
            }

            listing.Print(run.Surroundings, "Nothing was done yet.");
            return ExitCode.Done;
        });
        command.Arguments.Add(rollout);
        return command;
    }

    private static async Task<Rollout> GetAsync(Verb run, Argument<string> rollout) =>
        await run.Connection.Client.GetRolloutAsync(new GetRolloutRequest { Rollout = run.Arguments.GetValue(rollout) }, run.Call());
}
