using Microsoft.Extensions.Logging.Abstractions;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.HostAgent.Upgrades;

namespace TwinKernel.Fleet.HostAgent.Tests.Upgrades;

public sealed class UpgradeJournalTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly ExecuteStep _command = new()
    {
        UpgradeId = Guid.NewGuid(),
        Host = "h",
        Guest = "g",
        Epoch = 3,
        Step = UpgradeStep.Load,
        ImageDigest = "sha256:x",
        Deadline = TimeSpan.FromSeconds(5),
        ExpiresAt = DateTimeOffset.UnixEpoch,
    };

    private string FilePath => _directory.File($"{_command.UpgradeId}.jsonl");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_was_written_is_read_again()
    {
        UpgradeJournal journal = Open();
        journal.Accept(_command);
        journal.Note(_command.UpgradeId, "bootIdOfA", "x");
        Open().Unfinished.ShouldHaveSingleItem().Command.ShouldBe(_command);
        StepFailed failed = StepRunner.Failed(_command, UpgradeFailure.ImageInvalid, "a \"reason\"\nin two lines");
        journal.Finish(failed);
        UpgradeJournal again = Open();
        again.Unfinished.ShouldBeEmpty();
        again.Unpublished.ShouldHaveSingleItem().Failed!.Reason.ShouldBe(failed.Reason);
        again.Fact(_command.UpgradeId, "bootIdOfA").ShouldBe("x");
        again.Publish(_command.UpgradeId, _command.Step);
        Open().Unpublished.ShouldBeEmpty();
        File.GetUnixFileMode(FilePath).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void A_line_that_a_crash_tore_at_any_byte_is_as_if_it_had_not_been_written()
    {
        UpgradeJournal journal = Open();
        journal.Accept(_command);
        long before = new FileInfo(FilePath).Length;
        journal.Finish(StepRunner.Failed(_command, UpgradeFailure.Internal, "x"));
        byte[] whole = File.ReadAllBytes(FilePath);
        for (int length = (int)before; length < whole.Length; length++)
        {
            File.WriteAllBytes(FilePath, whole[..length]);
            UpgradeJournal torn = Open();
            torn.Unfinished.ShouldHaveSingleItem();
            new FileInfo(FilePath).Length.ShouldBe(before);
        }

        UpgradeJournal goesOn = Open();
        goesOn.Finish(StepRunner.Failed(_command, UpgradeFailure.Internal, "y"));
        Open().Unpublished.ShouldHaveSingleItem().Failed!.Reason.ShouldBe("y");
    }

    [Theory]
    [InlineData("not json\n")]
    [InlineData("{\"kind\":\"Published\",\"at\":\"2026-01-01T00:00:00Z\",\"step\":\"Load\"}\n")]
    [InlineData("null\n")]
    public void A_journal_that_makes_no_sense_is_set_aside_and_not_lost(string text)
    {
        File.WriteAllText(FilePath, text);
        Open().Unfinished.ShouldBeEmpty();
        File.ReadAllText(FilePath + ".unreadable").ShouldBe(text);
        File.Exists(FilePath).ShouldBeFalse();
    }

    [Fact]
    public void An_epoch_belongs_to_one_upgrade_and_never_falls()
    {
        string file = _directory.File("epochs.json");
        Guid first = Guid.NewGuid(), second = Guid.NewGuid();
        GuestEpochs epochs = new(file);
        epochs.Advance("g", 7, first);
        epochs.Advance("g", 6, second);
        GuestEpochs again = new(file);
        again.Newest("g").ShouldBe(7);
        (again.Allows("g", 7, first), again.Allows("g", 7, second), again.Allows("g", 6, first), again.Allows("g", 8, second), again.Allows("other", 1, second))
            .ShouldBe((true, false, false, true, true));
    }

    private UpgradeJournal Open() => new(_directory.Path, TimeProvider.System, NullLogger.Instance);
}
