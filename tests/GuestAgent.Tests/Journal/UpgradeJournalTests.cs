using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Journal;

public sealed class UpgradeJournalTests
{
    [Fact]
    public void What_was_recorded_is_read_back()
    {
        using FakeGuest guest = FakeGuest.Create();
        UpgradeJournal journal = new(guest);
        journal.Open("u1", 4);
        journal.Takes(3u);
        journal.Takes(new TakenBlock(7, Movable: true));
        journal.Takes(new TakenBlock(8, Movable: false));
        journal.ReturnsBlock(8);
        journal.Seen(9);
        journal.Record(new StepEntry
        {
            Step = Wire.Step.Reserve,
            State = Wire.StepState.Failed,
            Timings = [new StepTiming("reserve", 12)],
            Facts = new Dictionary<string, string> { ["slot"] = "1" },
            Reason = "DEVICE",
            Message = "a \"quoted\"\nline",
        });

        UpgradeRecord read = new UpgradeJournal(guest).Current!;
        (read.UpgradeId, read.Epoch, read.Active).ShouldBe(("u1", 9ul, true));
        read.Cpus.ShouldBe([3u]);
        read.Blocks.ShouldBe([new TakenBlock(7, Movable: true)]);
        StepEntry step = read.Steps.ShouldHaveSingleItem();
        (step.Step, step.State, step.Reason, step.Message).ShouldBe((Wire.Step.Reserve, Wire.StepState.Failed, "DEVICE", "a \"quoted\"\nline"));
        step.Timings.ShouldBe([new StepTiming("reserve", 12)]);
        step.Facts["slot"].ShouldBe("1");
    }

    [Fact]
    public void A_torn_last_line_is_dropped_and_the_journal_goes_on()
    {
        using FakeGuest guest = FakeGuest.Create();
        UpgradeJournal journal = new(guest);
        journal.Open("u1", 1);
        journal.Takes(1u);
        string path = guest.At("/run/twinkernel/journal/journal.jsonl");
        File.AppendAllText(path, "{\"upgradeId\":\"u1\",\"epo");

        UpgradeJournal next = new(guest);
        next.Current!.Cpus.ShouldBe([1u]);
        next.Takes(2u);
        new UpgradeJournal(guest).Current!.Cpus.ShouldBe([1u, 2u]);
        File.ReadAllLines(path).Length.ShouldBe(3);
    }

    [Fact]
    public void An_active_upgrade_is_not_forgotten()
    {
        using FakeGuest guest = FakeGuest.Create();
        UpgradeJournal journal = new(guest);
        journal.Open("u1", 1);
        journal.Takes(1u);
        Should.Throw<InvalidOperationException>(() => journal.Open("u2", 1)).Message.ShouldContain("u1");
        journal.ReturnsCpu(1);
        journal.Open("u2", 1);
        new UpgradeJournal(guest).Current!.UpgradeId.ShouldBe("u2");
    }
}
