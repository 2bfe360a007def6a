using TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Cli.Tests;

public sealed class DeadLetterTests
{
    [Fact]
    public async Task List_shows_them_and_how_many_there_are_in_all()
    {
        await using FakeFleet fleet = await FakeFleet.StartAsync();
        (await Cli.RunAsync(fleet, "dead-letters", "list")).Out.ShouldBe("There are no dead letters.\n");
        fleet.Answers.DeadLetters = new DeadLetters { Count = 3, Letters = { new DeadLetter { Id = "ab12", Type = "StepFailed", Queue = "steps", Reason = "gone wrong" } } };
        var outcome = await Cli.RunAsync(fleet, "dead-letters", "list", "--limit", "1");
        outcome.Code.ShouldBe(0, outcome.Error);
        outcome.Lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries).ShouldBe(["ab12", "-", "StepFailed", "steps", "gone", "wrong"]);
        outcome.Lines[^1].ShouldBe("3 in all");
        fleet.Answers.Requests.OfType<ListDeadLettersRequest>().Last().Limit.ShouldBe(1u);
    }

    [Fact]
    public async Task What_was_not_done_is_an_error_beside_what_was()
    {
        await using FakeFleet fleet = await FakeFleet.StartAsync();
        fleet.Answers.DeadLetters = new DeadLetters { Count = 1, Letters = { new DeadLetter { Id = "ab12" } }, Problems = { "cd34 is not there." } };
        var outcome = await Cli.RunAsync(fleet, "dead-letters", "replay", "ab12", "cd34", "--as", "ann");
        outcome.Code.ShouldBe(5);
        outcome.Lines[^1].ShouldBe("1 put back, 1 left");
        outcome.Error.ShouldBe("error: cd34 is not there.\n");
        var request = fleet.Answers.Requests.OfType<ControlDeadLettersRequest>().Single();
        (request.Act, request.All, request.Actor).ShouldBe(("replay", false, "ann"));
        request.Ids.ShouldBe(["ab12", "cd34"]);
    }
}
