using System.Text.Json.Nodes;
using Google.Protobuf.WellKnownTypes;
using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class ScheduleTests : IAsyncLifetime
{
    private static readonly Timestamp _due = Timestamp.FromDateTime(new DateTime(2026, 12, 8, 1, 0, 0, DateTimeKind.Utc));

    private FakeFleet fleet = null!;

    public async ValueTask InitializeAsync()
    {
        fleet = await FakeFleet.StartAsync();
        fleet.Answers.Schedule = new Schedule
        {
            Name = "monthly",
            When = "second Tuesday 02:00 Europe/Berlin",
            Enabled = true,
            Start = true,
            Missed = "run-once",
            MissedLimit = "1h",
            CreatedBy = "ann",
            Next = _due,
            Upcoming = { new ScheduleTime { At = _due, Local = "2026-12-08 02:00 Europe/Berlin" } },
            Firings = { new ScheduleFiring { Due = _due, Decided = _due, Outcome = "Refused", Reason = "image: is denied" } },
            RefusedNow = { "selector: nothing matches." },
        };
    }

    public ValueTask DisposeAsync() => fleet.DisposeAsync();

    [Fact]
    public async Task Create_takes_a_rollouts_options_and_shows_the_schedule()
    {
        var outcome = await Cli.RunAsync(fleet, "schedule", "create", "--name", "monthly", "--image", "debian-6.12", "--selector", "*", "--canary", "1",
            "--at", "second Tuesday 02:00 Europe/Berlin", "--start", "--missed", "skip", "--missed-limit", "2h", "--as", "ann");
        outcome.Code.ShouldBe(0, outcome.Error);
        var request = fleet.Answers.Requests.OfType<CreateScheduleRequest>().Single();
        (request.When, request.Start, request.Missed, request.MissedLimit, request.Actor).ShouldBe(("second Tuesday 02:00 Europe/Berlin", true, "skip", "2h", "ann"));
        JsonNode.DeepEquals(JsonNode.Parse(request.Definition), JsonNode.Parse(
            """{"name": "monthly", "image": "debian-6.12", "selector": "*", "canary": {"count": 1}}""")).ShouldBeTrue(request.Definition);
        outcome.Lines.ShouldContain("Schedule monthly: second Tuesday 02:00 Europe/Berlin, made by ann");
        outcome.Lines.ShouldContain("Note: now it would be refused: selector: nothing matches.");
        (await Cli.RunAsync(fleet, "schedule", "create", "--name", "monthly")).Code.ShouldBe(ExitCode.Usage);
    }

    [Fact]
    public async Task Show_list_and_next_tell_when_and_what_became_of_it()
    {
        var shown = await Cli.RunAsync(fleet, "schedule", "show", "monthly");
        shown.Lines.ShouldContain("Missed    run-once, up to 1h late");
        shown.Lines.ShouldContain(line => line.Contains("2026-12-08 01:00:00Z", StringComparison.Ordinal) && line.Contains("image: is denied", StringComparison.Ordinal));
        (await Cli.RunAsync(fleet, "schedule", "list")).Out.ShouldContain("2026-12-08 01:00:00Z");
        var next = await Cli.RunAsync(fleet, "schedule", "next", "monthly", "7");
        next.Lines.ShouldBe(["2026-12-08 02:00 Europe/Berlin  2026-12-08 01:00:00Z"]);
        fleet.Answers.Requests.OfType<GetScheduleRequest>().Last().ShouldBe(new GetScheduleRequest { Schedule = "monthly", Upcoming = 7 });
    }

    [Theory]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("delete")]
    public async Task Each_act_is_a_verb(string act)
    {
        var outcome = await Cli.RunAsync(fleet, "schedule", act, "monthly", "--as", "bob");
        outcome.Code.ShouldBe(0, outcome.Error);
        fleet.Answers.Requests.ShouldBe([new ControlScheduleRequest { Schedule = "monthly", Act = act, Actor = "bob" }]);
        outcome.Lines[0].ShouldBe(act == "delete" ? "Schedule monthly is deleted." : "Schedule monthly: second Tuesday 02:00 Europe/Berlin, made by ann");
    }
}
