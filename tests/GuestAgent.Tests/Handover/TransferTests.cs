using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Handover;

public sealed class TransferTests
{
    private static Scenario WithSpares()
    {
        Scenario scenario = new(cpus: 4);
        scenario.Guest.Put("/proc/cmdline", "console=ttyS0,115200 twinkernel.transfer_memory=spare\n");
        scenario.Guest.AddSecondCard();
        return scenario;
    }

    private static IEnumerable<string> Parts(Scenario scenario, Wire.Step step) =>
        scenario.Journal.Current!.Find(step)!.Timings.Select(timing => timing.Name);

    [Fact]
    public async Task Each_cpu_block_and_function_is_a_part_with_its_own_time()
    {
        using Scenario scenario = WithSpares();

        // 2 GiB, of which 1755 MiB are available: all but a quarter and one block may go.
        scenario.Guest.AfterWrite = () =>
        {
            int offline = scenario.Guest.OfflineBlocks().Length;
            scenario.Guest.Put("/proc/meminfo", $"MemTotal: 2097152 kB\nMemAvailable: {1024 * (1755 - (128 * offline))} kB\n");
        };
        await scenario.UpTo(Wire.Step.Transfer);

        Parts(scenario, Wire.Step.Transfer).ShouldBe([
            "transfer", "transfer.cpu.3", "transfer.cpu.2", "transfer.cpu.1",
            "transfer.memory.15", "transfer.memory.14", "transfer.memory.13", "transfer.memory.12", "transfer.memory.11", "transfer.memory.10",
            "transfer.function.0000:01:00.0"]);
        scenario.Device.Asked.Where(message => message.Kind == LinkMessage.AdoptMemory).Select(message => message.Start / FakeGuest.BlockBytes)
            .ShouldBe([15ul, 14ul, 13ul, 12ul, 11ul, 10ul]);
        scenario.Device.Asked.Single(message => message.Kind == LinkMessage.AdoptFunction).Function.ShouldBe(new PciFunction(1, 0));
        StepEntry entry = scenario.Journal.Current!.Find(Wire.Step.Transfer)!;
        entry.Facts["memory.given"].ShouldBe($"{6 * FakeGuest.BlockBytes}");
        entry.Facts["functions.given"].ShouldBe(FakeGuest.SecondFunction);
    }

    [Fact]
    public async Task The_card_that_the_host_has_plugged_in_is_waited_for_and_kernel_B_is_told_its_address()
    {
        using Scenario scenario = new();
        scenario.Card = new Wire.StandbyCard { Mac = FakeGuest.SecondMac, Network = "10.0.3.15/24", Peer = "10.0.3.2" };
        await scenario.UpTo(Wire.Step.Standby);
        Task<StepOutcome> transfer = scenario.Transfer();
        await Task.Delay(TimeSpan.FromMilliseconds(50));
        scenario.Device.Calls.ShouldNotContain(call => call.StartsWith("GIVE_FUNCTION"));
        scenario.Guest.AddSecondCard();
        await transfer;

        Parts(scenario, Wire.Step.Transfer).ShouldBe(["transfer", "transfer.cpu.1", "transfer.card", "transfer.function.0000:01:00.0"]);
        LinkMessage asked = scenario.Device.Asked.Single(message => message.Kind == LinkMessage.AdoptFunction);
        (asked.Function, asked.Mac, asked.Network, asked.Peer).ShouldBe((new PciFunction(1, 0), FakeGuest.SecondMac, "10.0.3.15/24", "10.0.3.2"));
        scenario.Journal.Current!.Find(Wire.Step.Transfer)!.Facts["card.serves"].ShouldBe("10.0.3.15/24");
        await scenario.RollBack();
        scenario.ShouldBeWhole();
    }

    [Fact]
    public async Task A_card_that_is_not_needed_and_does_not_come_is_done_without()
    {
        using Scenario scenario = new();
        scenario.Card = new Wire.StandbyCard { Mac = FakeGuest.SecondMac, Network = "10.0.3.15/24", Optional = true };
        await scenario.UpTo(Wire.Step.Transfer);
        IReadOnlyDictionary<string, string> facts = scenario.Journal.Current!.Find(Wire.Step.Transfer)!.Facts;
        (facts.ContainsKey("card.serves"), facts["card.missing"].Contains(FakeGuest.SecondMac, StringComparison.Ordinal)).ShouldBe((false, true));
    }

    [Fact]
    public async Task A_spare_card_that_the_host_does_not_speak_of_goes_without_an_address()
    {
        using Scenario scenario = WithSpares();
        await scenario.UpTo(Wire.Step.Transfer);
        LinkMessage asked = scenario.Device.Asked.Single(message => message.Kind == LinkMessage.AdoptFunction);
        (asked.Function, asked.Mac, asked.Network).ShouldBe((new PciFunction(1, 0), null, null));
    }

    [Fact]
    public async Task A_cancel_undoes_in_the_reverse_order()
    {
        using Scenario scenario = WithSpares();
        await scenario.UpTo(Wire.Step.Transfer);
        string[] blocks = [.. scenario.Journal.Current!.Blocks.Select(block => $"rollback.memory.{block.Number}").Reverse()];
        blocks.Length.ShouldBeGreaterThan(3);
        await scenario.RollBack();

        scenario.ShouldBeWhole();
        Parts(scenario, Wire.Step.RollBack).ShouldBe([
            "rollback", "rollback.instance.stop", "rollback.function.0000:01:00.0", "rollback.slot.release", .. blocks,
            "rollback.cpu.1", "rollback.cpu.2", "rollback.cpu.3"]);
        scenario.Guest.Exists($"/sys/bus/pci/devices/{FakeGuest.SecondFunction}/driver").ShouldBeTrue();
    }

    [Fact]
    public async Task By_default_memory_stays_to_the_commit()
    {
        using Scenario scenario = new(cpus: 4);
        await scenario.UpTo(Wire.Step.Transfer);
        scenario.Device.Calls.ShouldNotContain(call => call.StartsWith("GIVE_MEMORY"));
        scenario.Guest.OfflineBlocks().Length.ShouldBe(3);
    }

    [Fact]
    public async Task The_card_that_serves_and_one_that_is_up_stay()
    {
        using Scenario scenario = WithSpares();
        scenario.Guest.Put($"/sys/devices/pci0000:00/0000:00:04.0/{FakeGuest.SecondFunction}/virtio1/net/eth1/flags", "0x1003\n");
        await scenario.UpTo(Wire.Step.Transfer);
        scenario.Device.Calls.ShouldNotContain(call => call.StartsWith("GIVE_FUNCTION"));
    }

    [Fact]
    public async Task A_block_that_the_twin_cannot_take_comes_back_and_the_upgrade_goes_on()
    {
        using Scenario scenario = WithSpares();
        scenario.Device.Peer = question => question.Kind == LinkMessage.AdoptMemory
            ? new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Refused, Error = "its blocks are larger" }
            : new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Done };
        await scenario.UpTo(Wire.Step.Transfer);
        scenario.Device.Calls.Count(call => call.StartsWith("TAKE_MEMORY")).ShouldBe(3);
        scenario.Guest.OfflineBlocks().Length.ShouldBe(3);
        scenario.Journal.Current!.Find(Wire.Step.Transfer)!.Facts["memory.given"].ShouldBe("0");
    }

    [Theory]
    [InlineData("GIVE_CPU")]
    [InlineData("GIVE_MEMORY")]
    [InlineData("GIVE_FUNCTION")]
    [InlineData("SEND")]
    public async Task A_killed_agent_goes_on_or_gives_everything_back(string where)
    {
        using Scenario scenario = WithSpares();
        await scenario.UpTo(Wire.Step.Standby);
        int seen = scenario.Device.Calls.Count;
        scenario.Device.BeforeCall = () =>
        {
            if (scenario.Device.Calls.Skip(seen).Any(call => call.StartsWith(where)))
            {
                throw new InvalidOperationException("killed");
            }
        };
        await Should.ThrowAsync<StepFailure>(scenario.Transfer());
        scenario.Device.BeforeCall = null;
        scenario.Restart();
        await scenario.Transfer();
        scenario.Journal.Current!.Functions.ShouldHaveSingleItem();
        await scenario.RollBack();
        scenario.ShouldBeWhole();
        scenario.Guest.Exists($"/sys/bus/pci/devices/{FakeGuest.SecondFunction}/driver").ShouldBeTrue();
    }
}
