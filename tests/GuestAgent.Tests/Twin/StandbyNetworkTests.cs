using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Twin;

public sealed class StandbyNetworkTests
{
    private const string Card = "/proc/sys/net/ipv4/conf/eth0";
    /* Slot and instance are numbered together by the model. */
    private const string Twin = "/proc/sys/net/ipv4/conf/twin2";

    private static Scenario Wanted(string address = "10.0.2.16", bool linked = true)
    {
        Scenario scenario = new();
        scenario.Guest.Put("/proc/cmdline", $"console=ttyS0,115200 twinkernel.net=10.0.2.15/24,10.0.2.2 twinkernel.standby={address}\n");
        foreach (string directory in linked ? (string[])[Card, Twin] : [Card])
        {
            scenario.Guest.Put($"{directory}/forwarding", "0\n");
            scenario.Guest.Put($"{directory}/proxy_arp", "0\n");
        }

        if (linked)
        {
            scenario.Guest.Put("/sys/class/net/twin2/address", "02:00:00:00:00:01\n");
        }

        return scenario;
    }

    private static string[] SettingsOf(Scenario scenario, string directory) => [scenario.Guest.Read($"{directory}/forwarding"), scenario.Guest.Read($"{directory}/proxy_arp")];

    [Fact]
    public async Task Kernel_A_answers_for_the_address_and_leads_it_over_the_link()
    {
        using Scenario scenario = Wanted();
        await scenario.UpTo(Wire.Step.Start);
        scenario.Stack.Configured.Clear();
        StepOutcome outcome = await scenario.AwaitStandby();
        SettingsOf(scenario, Card).ShouldBe(["1", "1"]);
        SettingsOf(scenario, Twin).ShouldBe(["1", "1"]);
        scenario.Stack.Configured.ShouldBe(["twin2 to 10.0.2.16"]);
        scenario.Device.Asked.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            asked => asked.Kind.ShouldBe(LinkMessage.StandbyNetwork),
            asked => asked.Network.ShouldBe("10.0.2.16/32,10.0.2.15"));
        outcome.Entry.Facts["standby.address"].ShouldBe("10.0.2.16");
    }

    [Fact]
    public async Task A_roll_back_leaves_the_card_as_it_was_also_after_a_restart()
    {
        using Scenario scenario = Wanted();
        scenario.Guest.Put($"{Card}/forwarding", "1\n");
        await scenario.UpTo(Wire.Step.Standby);
        scenario.Restart();
        await scenario.AwaitStandby();
        await scenario.RollBack();
        SettingsOf(scenario, Card).ShouldBe(["1", "0"]);
        scenario.ShouldBeWhole();
    }

    [Theory]
    [InlineData("10.0.2.16", false, "no link")]
    [InlineData("elsewhere", true, "no IPv4 address")]
    public async Task What_cannot_be_is_said_and_the_upgrade_goes_on(string address, bool linked, string why)
    {
        using Scenario scenario = Wanted(address, linked);
        await scenario.UpTo(Wire.Step.Start);
        StepOutcome outcome = await scenario.AwaitStandby();
        outcome.Entry.State.ShouldBe(Wire.StepState.Succeeded);
        outcome.Entry.Facts["standby.network"].ShouldContain(why);
        SettingsOf(scenario, Card).ShouldBe(["0", "0"]);
    }

    [Fact]
    public async Task A_refusal_by_kernel_Bs_agent_undoes_it()
    {
        using Scenario scenario = Wanted();
        scenario.Device.Peer = question => new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Refused, Error = "not today" };
        await scenario.UpTo(Wire.Step.Start);
        (await scenario.AwaitStandby()).Entry.Facts["standby.network"].ShouldContain("not today");
        SettingsOf(scenario, Card).ShouldBe(["0", "0"]);
    }
}
