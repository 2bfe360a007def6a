using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Twin;

/// <summary>Kernel B has not fetched the message before: it is slow, or gone.</summary>
public sealed class TwinLinkTests
{
    private static readonly LinkMessage Question = new() { Sequence = 0, Kind = LinkMessage.SyncService };

    [Fact]
    public void A_question_waits_for_its_turn()
    {
        using Scenario scenario = new();
        scenario.Device.Failures.Enqueue(("SEND", Errno.EAGAIN));
        new TwinLink(scenario.Device, TimeProvider.System).Ask(1, Question, TimeSpan.FromSeconds(10), CancellationToken.None);
        scenario.Device.Asked.Select(asked => asked.Kind).ShouldBe([LinkMessage.SyncService]);
    }

    /// <summary>Behind the cut-over's answer the call has ended, and the source of its token with it.</summary>
    [Fact]
    public void One_that_never_gets_its_turn_was_not_answered_also_when_the_call_has_ended()
    {
        using Scenario scenario = new();
        Enumerable.Repeat(("SEND", Errno.EAGAIN), 10_000).ToList().ForEach(scenario.Device.Failures.Enqueue);
        CancellationTokenSource ended = new();
        CancellationToken cancellation = ended.Token;
        ended.Dispose();
        StepFailure failure = Should.Throw<StepFailure>(() => new TwinLink(scenario.Device, TimeProvider.System).Ask(1, Question, TimeSpan.FromMilliseconds(30), cancellation));
        (failure.Reason, failure.Message).ShouldBe((Reasons.StandbySilent, "Kernel B's agent did not answer 'sync-service' within 0.0 s."));
    }

    [Fact]
    public async Task A_kernel_that_has_panicked_is_not_waited_for()
    {
        using Scenario scenario = new();
        await scenario.UpTo(Wire.Step.Standby);
        uint instance = scenario.Device.Instances().Single().Id;
        int looks = 0;
        scenario.Device.Peer = _ => null;
        scenario.Device.StateOfInstance = _ => looks++ < 3 ? InstanceState.Ready : InstanceState.Panicked;
        StepFailure failure = Should.Throw<StepFailure>(() =>
            new TwinLink(scenario.Device, TimeProvider.System).Ask(instance, Question, TimeSpan.FromMinutes(1), CancellationToken.None));
        (failure.Reason, failure.Message).ShouldBe((Reasons.StandbyPanicked, "Kernel B panicked and will not answer 'sync-service'; its console says why."));
    }
}
