using System.Text.Json.Nodes;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class RolloutTests : IAsyncLifetime
{
    private FakeFleet fleet = null!;

    public async ValueTask InitializeAsync()
    {
        fleet = await FakeFleet.StartAsync();
        fleet.Answers.Rollout = new Rollout
        {
            Id = Some.Id,
            Name = "june",
            ImageName = "debian-6.12",
            Image = "sha256:0123456789abcdef0123456789abcdef",
            State = "Running",
            Wave = 1,
            WaitsFor = "Wave 1 of 2 is under way.",
            PlanHash = "sha256:aa",
            CreatedBy = "ann",
            Waves = { new RolloutWave { Number = 1, Name = "canary", Guests = 1, States = { ["Running"] = 1 } }, new RolloutWave { Number = 2, Name = "rest", Guests = 1, States = { ["Waiting"] = 1 } } },
            Members =
            {
                new RolloutMember { Host = "h1", Guest = "a", Wave = 1, State = "Running", Attempt = 1, Upgrade = Some.Id, Why = "Waits for host h1 to finish Load." },
                new RolloutMember { Host = "h2", Guest = "b", Wave = 2, State = "Waiting", Why = "Waits for wave 2." },
            },
        };
    }

    public ValueTask DisposeAsync() => fleet.DisposeAsync();

    [Fact]
    public async Task Options_make_the_definition_that_a_file_would()
    {
        var outcome = await Cli.RunAsync(fleet, "rollout", "create", "--name", "june", "--image", "debian-6.12", "--selector", "zone=a", "--guest", "h1/a", "--canary", "1",
            "--wave", "50%", "--wave", "pool=web", "--settle", "10m", "--manual", "--max-concurrent", "2", "--start", "--as", "ann");
        outcome.Code.ShouldBe(0, outcome.Error);
        var request = fleet.Answers.Requests.OfType<CreateRolloutRequest>().Single();
        (request.Start, request.Actor, Guid.TryParse(request.RequestId, out _)).ShouldBe((true, "ann", true));
        JsonNode.DeepEquals(JsonNode.Parse(request.Definition), JsonNode.Parse(
            """
            {"name": "june", "image": "debian-6.12", "selector": "zone=a", "guests": ["h1/a"],
             "canary": {"count": 1, "settle": "10m", "promotion": "manual"},
             "waves": [{"percent": 50, "settle": "10m", "promotion": "manual"}, {"label": "pool=web", "settle": "10m", "promotion": "manual"}],
             "limits": [{"layer": "fleet", "maxConcurrent": "2"}]}
            """)).ShouldBeTrue(request.Definition);
        outcome.Lines[^1].ShouldBe("Next: twinfleet rollout watch june");
    }

    [Fact]
    public async Task A_file_is_sent_as_it_is_but_for_what_options_change()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, """{"name": "june", "image": "old", "canary": {"count": 2, "settle": "1h"}}""");
            (await Cli.RunAsync(fleet, "rollout", "plan", "--file", file, "--image", "new", "--settle", "10m")).Code.ShouldBe(0);
            JsonNode.DeepEquals(JsonNode.Parse(fleet.Answers.Requests.OfType<PlanRolloutRequest>().Single().Definition), JsonNode.Parse(
                """{"name": "june", "image": "new", "canary": {"count": 2, "settle": "1h"}}""")).ShouldBeTrue();
            await File.WriteAllTextAsync(file, "[]");
            var outcome = await Cli.RunAsync(fleet, "rollout", "plan", "--file", file);
            (outcome.Code, outcome.Error.Contains("cannot be read: it is not an object", StringComparison.Ordinal)).ShouldBe((ExitCode.Usage, true), outcome.Error);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Why_says_one_sentence_for_each_guest()
    {
        (await Cli.RunAsync(fleet, "rollout", "why", "june")).Lines.ShouldBe(["h1/a: Waits for host h1 to finish Load.", "h2/b: Waits for wave 2."]);
        (await Cli.RunAsync(fleet, "rollout", "why", "june", "h2/b")).Lines.ShouldBe(["h2/b: Waits for wave 2."]);
        (await Cli.RunAsync(fleet, "rollout", "why", "june", "h3/c")).Code.ShouldBe(ExitCode.NotFound);
    }

    [Theory]
    [InlineData("start")]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("promote")]
    [InlineData("cancel")]
    [InlineData("abort")]
    [InlineData("undo")]
    [InlineData("retry")]
    public async Task Each_act_is_a_verb(string act)
    {
        var outcome = await Cli.RunAsync(fleet, "rollout", act, "june", "--reason", "lunch", "--as", "bob");
        outcome.Code.ShouldBe(0, outcome.Error);
        fleet.Answers.Requests.ShouldBe([new ControlRolloutRequest { Rollout = "june", Act = act, Reason = "lunch", Actor = "bob" }]);
        outcome.Lines[0].ShouldBe("Rollout june is Running. Wave 1 of 2 is under way.");
    }

    [Fact]
    public async Task Watch_ends_with_the_rollout_and_its_report()
    {
        var outcome = await Cli.RunAsync(fleet, "rollout", "watch", "june");
        outcome.Code.ShouldBe(0, outcome.Error);
        outcome.Lines.ShouldContain(line => line.EndsWith("Running, wave 1 of 2"));
        outcome.Lines.ShouldContain(line => line.EndsWith("h1/a: Running"));
        outcome.Out.ShouldContain($"Rollout june ({Some.Id}): Completed");
    }

    [Fact]
    public async Task The_whole_fleet_is_stopped_in_one_call()
    {
        fleet.Answers.Status = new FleetStatus { Stopped = true, Reason = "the fleet was stopped by eve: smoke", Running = 3, Aborted = 2, Policy = "{}" };
        var outcome = await Cli.RunAsync(fleet, "stop-all", "--reason", "smoke", "--as", "eve");
        outcome.Code.ShouldBe(0, outcome.Error);
        fleet.Answers.Requests.ShouldBe([new StopFleetRequest { Reason = "smoke", Actor = "eve" }]);
        outcome.Lines.ShouldContain("Upgrades  3 active, 2 of them go back now");
    }

    [Fact]
    public async Task An_image_is_denied_with_a_reason()
    {
        fleet.Answers.Images = new ListImagesResponse { Images = { new Image { Name = "debian-6.12", Digest = "sha256:01", State = "denied", Reason = "panics" } } };
        (await Cli.RunAsync(fleet, "images", "deny", "debian-6.12")).Code.ShouldBe(ExitCode.Usage);
        var outcome = await Cli.RunAsync(fleet, "images", "deny", "debian-6.12", "--reason", "panics", "--as", "ann");
        outcome.Lines.ShouldBe(["Image debian-6.12 (sha256:01) is denied: panics."]);
        fleet.Answers.Requests.ShouldBe([new JudgeImageRequest { Image = "debian-6.12", Reason = "panics", Actor = "ann" }]);
    }
}
