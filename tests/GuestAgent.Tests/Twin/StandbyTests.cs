using System.Net;
using System.Net.NetworkInformation;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Twin;

public sealed class StandbyTests
{
    private static readonly HandoverOrder Order = Scenario.Order;

    private static Scenario KernelB()
    {
        Scenario scenario = new(cpus: 3);
        scenario.Device.HasParent = scenario.Device.TwinBooted = true;
        return scenario;
    }

    [Fact]
    public void Accepts_the_order_and_lets_the_token_in()
    {
        using Scenario scenario = KernelB();
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order }).ShouldBe(new LinkMessage { Sequence = 4, Kind = LinkMessage.Done });
        scenario.Token.Admits("Bearer handed-over").ShouldBeTrue();
        scenario.Token.Admits("Bearer secret").ShouldBeFalse();
        File.GetUnixFileMode(scenario.Guest.At("/run/twinkernel/handover.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (scenario.Journal.Current!.UpgradeId, scenario.Journal.Current.Epoch).ShouldBe(("u9", 3ul));
    }

    [Fact]
    public void An_agent_that_is_started_again_knows_the_order()
    {
        using Scenario scenario = KernelB();
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order });
        scenario.Restart();
        scenario.Standby.Recall();
        scenario.Standby.Order!.Mac.ShouldBe(Order.Mac);
        scenario.Standby.Order.Functions.ShouldBe(Order.Functions);
    }

    [Fact]
    public async Task Serves_on_a_card_of_its_own_to_the_commit_also_when_the_agent_is_started_again()
    {
        using Scenario scenario = KernelB();
        scenario.Guest.AddSecondCard();
        scenario.Stack.Configured.Clear();
        LinkMessage question = new() { Sequence = 5, Kind = LinkMessage.AdoptFunction, Function = new PciFunction(1, 0), Mac = FakeGuest.SecondMac, Network = "10.0.3.15/24", Peer = "10.0.3.2" };
        scenario.Standby.Answer(question).ShouldBe(new LinkMessage { Sequence = 5, Kind = LinkMessage.Done });
        scenario.Device.Calls.ShouldContain("ADOPT_FUNCTION 0000:01:00.0");
        scenario.Stack.Configured.ShouldBe(["eth1 is standby0", "standby0 10.0.3.15/24", "ping 10.0.3.2", "10.0.3.15 tickles 10.0.3.2:9 of 9"], "the name is free for the guest's own card");
        scenario.Device.Calls.Count(call => call.Contains("_FUNCTION 0000:01:00.0", StringComparison.Ordinal)).ShouldBe(1, "adopted, and no more");

        scenario.Standby.Answer(new LinkMessage { Sequence = 6, Kind = LinkMessage.Handover, Order = Order });
        scenario.Restart();
        scenario.Standby.Recall();
        scenario.Stack.Configured.Clear();
        scenario.Standby.TakeOver(scenario.Standby.Order!, TimeSpan.Zero);
        scenario.Stack.Configured.ShouldNotContain("standby0 down");
        await scenario.Run(Wire.Step.Commit, step => scenario.Steps.Commit.Run(step, 0), Order.UpgradeId, Order.Epoch);
        scenario.Stack.Configured.ShouldContain("standby0 down");
    }

    [Fact]
    public void Takes_over_adopts_then_configures_then_records()
    {
        using Scenario scenario = KernelB();
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order });
        IPAddress own = IPAddress.Parse("10.0.2.15"), client = IPAddress.Parse("10.0.2.2");
        scenario.Device.OfParent = [new TcpConnection(IPAddress.Parse("10.0.3.15"), 6379, client, 50998), new TcpConnection(own, 6379, client, 51000)];
        scenario.Stack.Configured.Clear();
        scenario.Standby.TakeOver(Order with { Neighbours = Neighbour.Write([new Neighbour(0x0a000202, PhysicalAddress.Parse("52-55-0A-00-02-02"))]) }, TimeSpan.FromMilliseconds(2));
        scenario.Device.Calls.ShouldContain("ADOPT_FUNCTION 0000:00:02.0");
        scenario.Stack.Configured.ShouldBe(["eth0 10.0.2.15/24,10.0.2.2 knows 10.0.2.2", "10.0.2.15 tickles 10.0.2.2:51000 of 6379"]);
        Wire.StepRecord record = scenario.Status.Read().Steps.Single();
        (record.Step, record.State).ShouldBe((Wire.Step.CutOver, Wire.StepState.Succeeded));
        record.Timings.Select(timing => timing.Name).ShouldBe(["cutover", "cutover.notice", "cutover.services", "cutover.adopt", "cutover.network", "cutover.tickle", "cutover.journal"]);
    }

    [Fact]
    public void Is_reachable_over_the_link_until_it_has_the_card()
    {
        using Scenario scenario = KernelB();
        scenario.Guest.Put("/sys/class/net/twin0/address", "02:00:00:00:00:01");
        scenario.Stack.Configured.Clear();
        scenario.Standby.Answer(new LinkMessage { Sequence = 2, Kind = LinkMessage.StandbyNetwork, Network = "10.0.2.16/32,10.0.2.15" }).ShouldBe(new LinkMessage { Sequence = 2, Kind = LinkMessage.Done });
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order }).Kind.ShouldBe(LinkMessage.Done);
        scenario.Stack.Configured.ShouldBe(["twin0 10.0.2.16/32", "twin0 to 10.0.2.15", "twin0 10.0.2.16/32,10.0.2.15"]);

        scenario.Standby.TakeOver(Order, TimeSpan.Zero);
        scenario.Stack.Configured.TakeLast(2).ShouldBe(["eth0 10.0.2.15/24,10.0.2.2", "twin0 down"], "what the last sync goes over stays until the card is there");
    }

    [Fact]
    public void The_console_shows_only_errors_inside_the_gap()
    {
        using Scenario scenario = KernelB();
        scenario.Guest.Put("/proc/sys/kernel/printk", "7\t4\t1\t7\n");
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order });
        scenario.Guest.Read("/proc/sys/kernel/printk").ShouldStartWith("4");
        scenario.Standby.TakeOver(Order, TimeSpan.Zero);
        scenario.Guest.Read("/proc/sys/kernel/printk").ShouldStartWith("7");
    }

    [Fact]
    public void A_take_over_that_fails_gives_the_machine_back()
    {
        using Scenario scenario = KernelB();
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order });
        scenario.Device.Failures.Enqueue(("ADOPT_FUNCTION", Errno.ENODEV));
        scenario.Standby.TakeOver(Order, TimeSpan.Zero);
        scenario.Device.Calls.ShouldContain("RETURN");
    }

    [Fact]
    public async Task A_panic_of_A_is_taken_over_and_committed_without_being_asked()
    {
        using Scenario scenario = KernelB();
        scenario.Guest.Put("/proc/sys/kernel/printk", "7\t4\t1\t7\n");
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order with { Failover = true } }).Kind.ShouldBe(LinkMessage.Done);
        scenario.Guest.Read("/proc/sys/kernel/printk").ShouldStartWith("7", customMessage: "standing by is no gap");
        scenario.Status.Read().Steps.ShouldBeEmpty();
        scenario.Status.Read().TookOver.ShouldBeFalse();

        scenario.Device.ParentParked = true;
        scenario.Standby.TakeOver(scenario.Standby.Order!, TimeSpan.Zero);

        await WaitAsync(() => scenario.Journal.Current!.Succeeded(Wire.Step.Commit));
        scenario.Device.Calls.ShouldContain("COMMIT");
        Wire.Status status = scenario.Status.Read();
        (status.TookOver, status.UpgradeId, status.HasParent).ShouldBe((true, "u9", false));
        status.Steps.Select(step => (step.Step, step.State)).ShouldBe([(Wire.Step.CutOver, Wire.StepState.Succeeded), (Wire.Step.Commit, Wire.StepState.Succeeded)]);

        // The host's own commit finds it done; the next upgrade has not taken over anything.
        (await scenario.Run(Wire.Step.Commit, _ => throw new InvalidOperationException("again"), "u9", 3)).AlreadyDone.ShouldBeTrue();
        scenario.Journal.Open("u10", 4);
        scenario.Status.Read().TookOver.ShouldBeFalse();
    }

    [Fact]
    public void A_cut_over_replaces_what_was_said_for_the_case_of_a_panic()
    {
        using Scenario scenario = KernelB();
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order with { Failover = true } });
        scenario.Standby.Answer(new LinkMessage { Sequence = 5, Kind = LinkMessage.Handover, Order = Order });
        scenario.Device.ParentParked = true;
        scenario.Standby.TakeOver(scenario.Standby.Order!, TimeSpan.Zero);
        scenario.Device.Calls.ShouldNotContain("COMMIT");
        scenario.Status.Read().TookOver.ShouldBeFalse();
    }

    [Fact]
    public void A_take_over_after_a_panic_that_fails_resets_the_machine()
    {
        using Scenario scenario = KernelB();
        scenario.Guest.Put("/proc/sysrq-trigger", "");
        scenario.Standby.Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.Handover, Order = Order with { Failover = true } });
        scenario.Device.Failures.Enqueue(("ADOPT_FUNCTION", Errno.ENODEV));
        scenario.Standby.TakeOver(scenario.Standby.Order!, TimeSpan.Zero);
        scenario.Guest.Read("/proc/sysrq-trigger").ShouldBe("b");
        scenario.Device.Calls.ShouldNotContain("RETURN", "kernel A has ended");
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(20));
        while (!condition())
        {
            await Task.Delay(10, deadline.Token);
        }
    }

    [Fact]
    public void Brings_the_cpu_with_the_apic_id_online()
    {
        using Scenario scenario = KernelB();
        scenario.Guest.Put("/sys/devices/system/cpu/cpu2/online", "0\n");
        scenario.Standby.Answer(new LinkMessage { Sequence = 1, Kind = LinkMessage.OnlineCpu, ApicId = 2 }).Kind.ShouldBe(LinkMessage.Done);
        scenario.Guest.IsCpuOnline(2).ShouldBeTrue();
    }

    [Theory]
    [InlineData("online-cpu")]
    [InlineData("handover")]
    [InlineData("standby-network")]
    [InlineData("sing")]
    public void Refuses_what_it_does_not_understand(string kind)
    {
        using Scenario scenario = KernelB();
        LinkMessage answer = scenario.Standby.Answer(new LinkMessage { Sequence = 8, Kind = kind, ApicId = kind == "online-cpu" ? 77u : null });
        (answer.Kind, answer.Sequence).ShouldBe((LinkMessage.Refused, 8ul));
        answer.Error.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public void A_message_fits_into_the_mailbox_and_garbage_is_no_message()
    {
        TwinLink.Write(new LinkMessage { Sequence = ulong.MaxValue, Kind = LinkMessage.Handover, Order = Order with { Token = new string('x', 4096) } }).Length.ShouldBeLessThan(Abi.MessageMax);
        TwinLink.Read([]).ShouldBeNull();
        TwinLink.Read("{\"sequence\":1}"u8).ShouldBeNull();
        TwinLink.Read([0xff, 0x00, 0x7b]).ShouldBeNull();
    }
}
