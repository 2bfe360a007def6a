using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TwinKernel.Fleet.Coordinator.Tests.Harness;
using TwinKernel.Fleet.Tests.Servers;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Simulator.Tests;

/// <summary>
/// What docs/rollouts.md has between fences is typed: its commands by a shell, in their order, against a coordinator with two simulated
/// hosts that have the labels of the document. Only times that a person would wait for are shorter.
/// </summary>
public sealed partial class RolloutsDocumentTests(ServersFixture servers)
{
    private const string Settle = "10m", Sooner = "2s";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly string Document = File.ReadAllText(Repository.Find("docs", "rollouts.md"));

    [Fact]
    public async Task Its_examples_work_when_typed()
    {
        await using FleetUnderTest fleet = await FleetUnderTest.StartAsync(servers);
        CoordinatorUnderTest coordinator = await fleet.StartCoordinatorAsync();
        Simulation simulation = new(SampleScenario.Read($$"""
            "heartbeat": "1s",
            "hosts": [{ "name": "host", "count": 2, "guests": 2, "image": "debian-6.1", "labels": { {{Labels("Host__Labels__")}} }, "guestLabels": { {{Labels("Host__Guests__0__Labels__")}} } }],
            "steps": { "others": { "latency": { "median": "100ms" } } }
            """), TimeProvider.System);
        using CancellationTokenSource end = new();
        Task run = simulation.RunAsync(fleet.Broker, end.Token);
        await Eventually.Get(async () => (await coordinator.Client.ListGuestsAsync(new Wire.ListGuestsRequest())).Guests.Count, count => count == 4, "all guests are registered", Patience);
        string directory = Repository.CreateScratchDirectory("document");
        try
        {
            Shell shell = new(directory, coordinator.App.Urls.Single());

            // The file says the same as the options.
            string[] commands = Commands();
            string plan = commands.Single(command => command.Contains("rollout plan", StringComparison.Ordinal));
            string create = Code().Matches(Document).Select(match => match.Groups[1].Value).Single(code => code.StartsWith("twinfleet rollout create --file", StringComparison.Ordinal));
            string file = FileName().Match(create).Groups[1].Value;
            await File.WriteAllTextAsync(Path.Combine(directory, file), Block("json", "\"canary\":").Replace(Settle, Sooner));
            string byOptions = Hash(await shell.RunAsync(plan));
            Hash(await shell.RunAsync($"twinfleet rollout plan --file {file}")).ShouldBe(byOptions);

            // The gate is one.
            JsonObject gated = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(directory, file)))!.AsObject();
            gated["canary"]!["gates"] = new JsonArray(JsonNode.Parse(Block("json", "\"kind\"")));
            await File.WriteAllTextAsync(Path.Combine(directory, "gated.json"), gated.ToJsonString());
            Hash(await shell.RunAsync("twinfleet rollout plan --file gated.json")).ShouldNotBe(byOptions);

            commands.Length.ShouldBeGreaterThanOrEqualTo(7);
            foreach (string command in commands)
            {
                (await shell.RunAsync(command)).ShouldNotBeEmpty(command);
            }

            string name = Name().Match(plan).Groups[1].Value;
            Wire.Rollout rollout = await coordinator.GetRolloutAsync(name);
            (rollout.State, rollout.Succeeded, rollout.PlanHash).ShouldBe(("Completed", true, byOptions));
            rollout.Waves.Select(wave => wave.Guests).ShouldBe([1u, 3u]);
            simulation.Hosts.SelectMany(host => host.Guests.Values).ShouldAllBe(guest => guest.Commits == 1);
        }
        finally
        {
            await end.CancelAsync();
            await run;
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Every command between fences, in the order of the document.</summary>
    private static string[] Commands() =>
    [
        .. Fence().Matches(Document).SelectMany(block => block.Groups[2].Value.Split('\n'))
            .Where(line => line.StartsWith("twinfleet ", StringComparison.Ordinal)).Select(line => line.Replace($"--settle {Settle}", $"--settle {Sooner}")),
    ];

    private static string Block(string language, string with) =>
        Fence().Matches(Document).Single(block => block.Groups[1].Value == language && block.Groups[2].Value.Contains(with, StringComparison.Ordinal)).Groups[2].Value;

    /// <summary>Labels that the document gives a host or a guest by settings, as JSON.</summary>
    private static string Labels(string setting) => string.Join(", ", Document.Split('\n')
        .Where(line => line.StartsWith(setting, StringComparison.Ordinal)).Select(line => line[setting.Length..].Split('=') is [var key, var value] ? $"\"{key}\": \"{value}\"" : line)
        .DefaultIfEmpty($"there is no {setting} in the document"));

    private static string Hash(string output) => PlanHash().Match(output) is { Success: true } found ? found.Value : throw new InvalidOperationException($"No hash of a plan: {output}");

    private sealed class Shell(string directory, string coordinator)
    {
        private static readonly DirectoryInfo Own = new(AppContext.BaseDirectory.TrimEnd('/'));
        private static readonly string Program = Path.Combine(Own.Parent!.Parent!.FullName, "Cli", Own.Name, "twinfleet.dll");

        /// <summary>What the command prints; it must succeed.</summary>
        public async Task<string> RunAsync(string command)
        {
            ProcessStartInfo start = new("bash", ["-c", $"twinfleet() {{ dotnet '{Program}' \"$@\"; }}\n{command}"]) { WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true };
            start.Environment["TWINFLEET_COORDINATOR"] = coordinator;
            using Process process = Process.Start(start)!;
            using CancellationTokenSource late = new(Patience);
            Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
            try
            {
                await process.WaitForExitAsync(late.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
            }

            process.ExitCode.ShouldBe(0, $"{command}\n{await output}{await error}");
            return await output;
        }
    }

    [GeneratedRegex("^```([a-z]*)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("--file ([a-z.]+)")]
    private static partial Regex FileName();

    [GeneratedRegex("--name ([a-z]+)")]
    private static partial Regex Name();

    [GeneratedRegex("sha256:[0-9a-f]{64}")]
    private static partial Regex PlanHash();
}
