using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Twin;

namespace TwinKernel.Fleet.GuestAgent.Tests.Twin;

public sealed class ContactWatchdogTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private static Scenario Serving()
    {
        Scenario scenario = new();
        scenario.Device.HasParent = scenario.Device.ParentParked = scenario.Device.TwinBooted = true;
        scenario.Watchdog.Begin();
        return scenario;
    }

    [Fact]
    public void The_machine_goes_back_when_nobody_has_asked_for_too_long()
    {
        using Scenario scenario = Serving();
        scenario.Time.Pass(ContactWatchdog.Patience - Second);
        scenario.Watchdog.Look().ShouldBeTrue();
        scenario.Device.Calls.ShouldNotContain("RETURN");
        scenario.Time.Pass(Second);
        scenario.Watchdog.Look().ShouldBeFalse();
        scenario.Device.Calls.ShouldContain("RETURN");
    }

    [Fact]
    public void Each_call_of_the_hosts_agent_begins_the_wait_anew()
    {
        using Scenario scenario = Serving();
        for (int call = 0; call < 3; call++)
        {
            scenario.Time.Pass(ContactWatchdog.Patience - Second);
            scenario.Watchdog.Look().ShouldBeTrue();
            scenario.Watchdog.Heard();
        }

        scenario.Device.Calls.ShouldNotContain("RETURN");
    }

    [Fact]
    public void After_the_commit_there_is_nothing_to_give_back()
    {
        using Scenario scenario = Serving();
        scenario.Device.HasParent = false;
        scenario.Time.Pass(10 * ContactWatchdog.Patience);
        scenario.Watchdog.Look().ShouldBeFalse();
        scenario.Device.Calls.ShouldNotContain("RETURN");
    }

    [Fact]
    public void A_parent_that_cannot_go_on_is_asked_once()
    {
        using Scenario scenario = Serving();
        scenario.Device.Failures.Enqueue(("RETURN", Errno.EAGAIN));
        scenario.Time.Pass(ContactWatchdog.Patience);
        scenario.Watchdog.Look().ShouldBeFalse();
    }
}
