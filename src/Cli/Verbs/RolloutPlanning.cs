using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using TwinKernel.Fleet.Cli.Output;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Verbs;

/// <summary><c>rollout plan</c> and <c>rollout create</c>: a rollout from a file, from options, or from a file that options change.</summary>
internal sealed class RolloutPlanning
{
    private readonly Option<FileInfo?> file = new("--file") { Description = "The rollout as JSON (docs/rollouts.md); options change what it says", HelpName = "FILE" };
    private readonly Option<string?> name = new("--name") { Description = "The rollout's name, unique", HelpName = "NAME" };
    private readonly Option<string?> image = new("--image") { Description = "The image: its name, its digest, or the first 8 digits or more of that", HelpName = "IMAGE" };
    private readonly Option<string?> selector = new("--selector") { Description = "Guests by their labels: zone=a,pool in (web,db); '*' for all", HelpName = "SELECTOR" };
    private readonly Option<string[]> guests = new("--guest") { Description = "A guest, besides those that the selector matches; may be repeated", HelpName = "HOST/GUEST" };
    private readonly Option<string?> canary = new("--canary") { Description = "The first wave: so many guests, or 5%", HelpName = "N|N%" };
    private readonly Option<string[]> waves = new("--wave") { Description = "A further wave: so many guests, 50%, or a selector; may be repeated; what is left is the last wave", HelpName = "N|N%|SELECTOR" };
    private readonly Option<string?> settle = new("--settle") { Description = "How long each wave is given before the next: 30m", HelpName = "TIME" };
    private readonly Option<bool> manual = new("--manual") { Description = "A person promotes each wave" };
    private readonly Option<string?> mostAtOnce = new("--max-concurrent") { Description = "The most upgrades of the rollout at once: 5, or 10% of the fleet", HelpName = "N|N%" };
    private readonly Option<string[]> windows = new("--window") { Description = "When guests may be upgraded: 'second Tuesday 02:00 Europe/Berlin for 3h'; may be repeated", HelpName = "WINDOW" };
    private readonly Option<string?> strategy = new("--strategy") { Description = "As of upgrade start", HelpName = "twin|kexec|reboot|auto" };
    private readonly Option<bool> fourEyes = new("--four-eyes") { Description = "Another person must approve the plan" };

    /// <summary>Gives a command the options of a rollout.</summary>
    public RolloutPlanning(Command command)
    {
        foreach (var option in (Option[])[file, name, image, selector, guests, canary, waves, settle, manual, mostAtOnce, windows, strategy, fourEyes])
        {
            command.Options.Add(option);
        }
    }

    public static Command CreatePlan(VerbFactory verb)
    {
        RolloutPlanning options = null!;
        var command = verb.Create("plan", "What a rollout would do: waves, guests, times, what stands in the way. Changes nothing", "twinfleet images list and twinfleet guests list show what there is", async run =>
        {
            if (await options.DefinitionAsync(run) is not { } definition)
            {
                return ExitCode.Usage;
            }

            var plan = await run.Connection.Client.PlanRolloutAsync(new PlanRolloutRequest { Definition = definition }, run.Call());
            if (run.Json)
            {
                run.PrintJson(plan);
            }
            else
            {
                new RolloutReport(run.Surroundings).Print(plan);
            }

            return ExitCode.Done;
        });
        options = new RolloutPlanning(command);
        return command;
    }

    public static Command CreateCreate(VerbFactory verb)
    {
        RolloutPlanning options = null!;
        var start = new Option<bool>("--start") { Description = "Start it at once" };
        var hash = new Option<string?>("--plan-hash") { Description = "Refuse when the plan is not this one any more", HelpName = "HASH" };
        var requestId = new Option<Guid?>("--request-id") { Description = "A UUID. Repeating a command with the same one makes nothing twice", HelpName = "UUID" };
        var watch = new Option<bool>("--watch") { Description = "Follow it to its end" };
        var actor = Actor.Create();
        var command = verb.Create("create", "Makes a rollout of the plan as it is now", "twinfleet images list and twinfleet guests list show what there is", async run =>
        {
            if (await options.DefinitionAsync(run) is not { } definition)
            {
                return ExitCode.Usage;
            }

            var rollout = await run.Connection.Client.CreateRolloutAsync(new CreateRolloutRequest
            {
                Definition = definition,
                RequestId = (run.Arguments.GetValue(requestId) ?? Guid.NewGuid()).ToString(),
                PlanHash = run.Arguments.GetValue(hash) ?? "",
                Start = run.Arguments.GetValue(start),
                Actor = Actor.Of(run, actor),
            }, run.Call());
            return run.Arguments.GetValue(watch) ? await RolloutWatch.FollowAsync(run, rollout) : RolloutControl.Report(run, rollout);
        });
        options = new RolloutPlanning(command);
        foreach (var option in (Option[])[start, hash, requestId, watch, actor])
        {
            command.Options.Add(option);
        }

        return command;
    }

    /// <summary>The rollout as JSON; null: the file cannot be read, and the user was told.</summary>
    public async Task<string?> DefinitionAsync(Verb run)
    {
        JsonObject definition = [];
        if (run.Arguments.GetValue(file) is { } from)
        {
            try
            {
                definition = JsonNode.Parse(await File.ReadAllTextAsync(from.FullName, run.Cancellation)) as JsonObject
                    ?? throw new JsonException("it is not an object: {\"name\": ..., \"image\": ..., ...}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
            {
                await run.Surroundings.Error.WriteLineAsync($"error: {from.FullName} cannot be read: {e.Message}");
                await run.Surroundings.Error.WriteLineAsync("Next: correct the file; docs/rollouts.md has an example");
                return null;
            }
        }

        Set(definition, "name", run.Arguments.GetValue(name));
        Set(definition, "image", run.Arguments.GetValue(image));
        Set(definition, "selector", run.Arguments.GetValue(selector));
        Set(definition, "strategy", run.Arguments.GetValue(strategy));
        SetAll(definition, "guests", run.Arguments.GetValue(guests));
        SetAll(definition, "windows", run.Arguments.GetValue(windows));
        if (run.Arguments.GetValue(fourEyes))
        {
            definition["fourEyes"] = true;
        }

        if (run.Arguments.GetValue(canary) is { } first)
        {
            definition["canary"] = Wave(first);
        }

        if (run.Arguments.GetValue(waves) is { Length: > 0 } further)
        {
            definition["waves"] = new JsonArray([.. further.Select(Wave)]);
        }

        if (run.Arguments.GetValue(mostAtOnce) is { } most)
        {
            definition["limits"] = new JsonArray(new JsonObject { ["layer"] = "fleet", ["maxConcurrent"] = most });
        }

        foreach (var wave in ((JsonNode?[])[definition["canary"], .. (definition["waves"] as JsonArray) ?? []]).OfType<JsonObject>())
        {
            if (run.Arguments.GetValue(settle) is { } time)
            {
                wave["settle"] ??= time;
            }

            if (run.Arguments.GetValue(manual))
            {
                wave["promotion"] ??= "manual";
            }
        }

        return definition.ToJsonString();
    }

    private static void Set(JsonObject definition, string member, string? value)
    {
        if (value is not null)
        {
            definition[member] = value;
        }
    }

    private static void SetAll(JsonObject definition, string member, string[]? values)
    {
        if (values is { Length: > 0 })
        {
            definition[member] = new JsonArray([.. values.Select(value => (JsonNode)value)]);
        }
    }

    private static JsonNode Wave(string text) =>
        int.TryParse(text.TrimEnd('%'), out var number)
            ? new JsonObject { [text.EndsWith('%') ? "percent" : "count"] = number }
            : new JsonObject { ["label"] = text };
}
