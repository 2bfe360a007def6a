using System.CommandLine;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

/// <summary>Rollouts that are made again and again: one verb for each thing to do with a schedule.</summary>
internal static class ScheduleVerbs
{
    private const string LookUp = "twinfleet schedule list shows the schedules there are";

    public static Command Create(VerbFactory verb) => new("schedule", "Rollouts that are made again and again")
    {
        CreateCreate(verb),
        CreateList(verb),
        CreateShow(verb),
        CreateAct(verb, "pause", "Makes no rollouts until it is resumed; what passes meanwhile is left out"),
        CreateAct(verb, "resume", "Ends a pause"),
        CreateAct(verb, "delete", "Forgets the schedule; the rollouts that it made go on"),
        CreateNext(verb),
    };

    private static Command CreateCreate(VerbFactory verb)
    {
        var when = new Option<string>("--at") { Description = "When: 'second Tuesday 02:00 Europe/Berlin', 'daily 02:00 UTC'", HelpName = "DAYS TIME ZONE", Required = true };
        var start = new Option<bool>("--start") { Description = "Start each rollout at once" };
        var missed = new Option<string?>("--missed") { Description = "What becomes of a time at which no coordinator ran; default run-once", HelpName = "run-once|skip" };
        var limit = new Option<string?>("--missed-limit") { Description = "How late run-once still makes a rollout; default 1h", HelpName = "TIME" };
        var actor = Actor.Create();
        RolloutPlanning options = null!;
        var command = verb.Create("create", "Makes a rollout at each time; its name is the schedule's and the beginning of theirs", LookUp, async run =>
        {
            if (await options.DefinitionAsync(run) is not { } definition)
            {
                return ExitCode.Usage;
            }

            return Report(run, await run.Connection.Client.CreateScheduleAsync(new CreateScheduleRequest
            {
                Definition = definition,
                When = run.Arguments.GetValue(when),
                Start = run.Arguments.GetValue(start),
                Missed = run.Arguments.GetValue(missed) ?? "",
                MissedLimit = run.Arguments.GetValue(limit) ?? "",
                Actor = Actor.Of(run, actor),
            }, run.Call()));
        });
        options = new RolloutPlanning(command);
        foreach (var option in (Option[])[when, start, missed, limit, actor])
        {
            command.Options.Add(option);
        }

        return command;
    }

    private static Command CreateList(VerbFactory verb) => verb.Create("list", "Schedules, by name", LookUp, async run =>
    {
        var answer = await run.Connection.Client.ListSchedulesAsync(new ListSchedulesRequest(), run.Call());
        if (run.Json)
        {
            run.PrintJson(answer);
            return ExitCode.Done;
        }

        var listing = new Listing(run.Surroundings.OnTerminal, "SCHEDULE", "WHEN", "NEXT", "BY");
        foreach (var schedule in answer.Schedules)
        {
            listing.Add(schedule.Name, schedule.When, Next(schedule), schedule.CreatedBy);
        }

        listing.Print(run.Surroundings, "No schedules yet. Next: twinfleet schedule create --file FILE --at 'second Tuesday 02:00 Europe/Berlin'");
        return ExitCode.Done;
    });

    private static Command CreateShow(VerbFactory verb)
    {
        var name = Name();
        var command = verb.Create("show", "One schedule, and what became of its last times", LookUp, async run =>
            Report(run, await run.Connection.Client.GetScheduleAsync(new GetScheduleRequest { Schedule = run.Arguments.GetValue(name) }, run.Call())));
        command.Arguments.Add(name);
        return command;
    }

    private static Command CreateNext(VerbFactory verb)
    {
        var name = Name();
        var count = new Argument<uint>("N") { Description = "How many, at most 100; default 5", Arity = ArgumentArity.ZeroOrOne };
        var command = verb.Create("next", "The next times of a schedule, on the clocks of its zone and in UTC", LookUp, async run =>
        {
            var schedule = await run.Connection.Client.GetScheduleAsync(
                new GetScheduleRequest { Schedule = run.Arguments.GetValue(name), Upcoming = run.Arguments.GetValue(count) }, run.Call());
            if (run.Json)
            {
                run.PrintJson(schedule);
                return ExitCode.Done;
            }

            foreach (var time in schedule.Upcoming)
            {
                await run.Surroundings.Out.WriteLineAsync($"{time.Local}  {Units.Moment(time.At)}");
            }

            if (!schedule.Enabled)
            {
                await run.Surroundings.Out.WriteLineAsync($"It is paused. Next: twinfleet schedule resume {schedule.Name}");
            }

            return ExitCode.Done;
        });
        command.Arguments.Add(name);
        command.Arguments.Add(count);
        return command;
    }

    private static Command CreateAct(VerbFactory verb, string act, string description)
    {
        var name = Name();
        var actor = Actor.Create();
        var command = verb.Create(act, description, LookUp, async run =>
        {
            var schedule = await run.Connection.Client.ControlScheduleAsync(
                new ControlScheduleRequest { Schedule = run.Arguments.GetValue(name), Act = act, Actor = Actor.Of(run, actor) }, run.Call());
            if (act != "delete" || run.Json)
            {
                return Report(run, schedule);
            }

            await run.Surroundings.Out.WriteLineAsync($"Schedule {schedule.Name} is deleted.");
            return ExitCode.Done;
        });
        command.Arguments.Add(name);
        command.Options.Add(actor);
        return command;
    }

    private static Argument<string> Name() => new("SCHEDULE") { Description = "The schedule's name" };

    private static string Next(Schedule schedule) =>
        schedule.Next is not null ? Units.Moment(schedule.Next) : schedule.Enabled ? "never again" : "paused";

    /// <returns>The exit code.</returns>
    private static int Report(Verb run, Schedule schedule)
    {
        if (run.Json)
        {
            run.PrintJson(schedule);
            return ExitCode.Done;
        }

        var output = run.Surroundings.Out;
        output.WriteLine($"Schedule {schedule.Name}: {schedule.When}, made by {schedule.CreatedBy}");
        output.WriteLine($"Next      {Next(schedule)}");
        output.WriteLine($"Rollouts  are {(schedule.Start ? "started at once" : "made, and wait to be started")}");
        output.WriteLine($"Missed    {schedule.Missed}{(schedule.Missed == "run-once" ? $", up to {schedule.MissedLimit} late" : "")}");
        foreach (var refusal in schedule.RefusedNow)
        {
            output.WriteLine($"Note: now it would be refused: {refusal}");
        }

        if (schedule.Firings.Count > 0)
        {
            var listing = new Listing(run.Surroundings.OnTerminal, "DUE", "OUTCOME", "ROLLOUT", "WHY");
            foreach (var firing in schedule.Firings)
            {
                listing.Add(Units.Moment(firing.Due), firing.Outcome, firing.Rollout.Length > 0 ? firing.Rollout : "-", firing.Reason);
            }

            run.Surroundings.Console.Write(listing.Table);
        }

        return ExitCode.Done;
    }
}
