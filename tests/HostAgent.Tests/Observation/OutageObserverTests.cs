using System.Net;
using TwinKernel.Fleet.HostAgent.Observation;

namespace TwinKernel.Fleet.HostAgent.Tests.Observation;

public sealed class OutageObserverTests
{
    [Fact]
    public async Task It_measures_a_silence_and_sees_who_answers_after_it()
    {
        using EchoService service = new();
        string a = service.BootId, b = Guid.NewGuid().ToString();
        using OutageObserver observer = new(service.Address, TimeSpan.FromMilliseconds(1));
        (await observer.WaitAnsweredAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)).ShouldBeTrue();

        service.Silent = true;
        await UntilAsync(() => observer.Snapshot().OpenGap > TimeSpan.FromMilliseconds(300));
        service.BootId = b;
        service.Silent = false;
        await UntilAsync(() => observer.Snapshot().Kernels.Count == 2);

        OutageSnapshot seen = observer.Snapshot();
        seen.LongestGap.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(300));
        seen.Kernels.Select(k => k.BootId).ShouldBe([a, b]);
        seen.Answered.ShouldBeLessThan(seen.Sent);
    }

    [Fact]
    public async Task It_follows_a_service_to_another_port_and_the_silence_on_the_way_is_one_gap()
    {
        using EchoService first = new(), second = new();
        using OutageObserver observer = new(first.Address, TimeSpan.FromMilliseconds(1));
        (await observer.WaitAnsweredAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)).ShouldBeTrue();
        first.Dispose();
        await UntilAsync(() => observer.Snapshot().OpenGap > TimeSpan.FromMilliseconds(200));
        observer.Follow(second.Address);
        await UntilAsync(() => observer.Snapshot().Kernels.Count == 2);
        observer.Snapshot().LongestGap.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(200));
    }

    [Fact]
    public async Task It_never_waits_for_an_answer()
    {
        // A port that nobody listens on refuses: the pace is kept all the same.
        using OutageObserver observer = new(new IPEndPoint(IPAddress.Loopback, 9), TimeSpan.FromMilliseconds(1));
        await UntilAsync(() => observer.Snapshot().Sent > 100);
        observer.Snapshot().Answered.ShouldBe(0);
        (await observer.WaitAnsweredAsync(TimeSpan.FromMilliseconds(50), TestContext.Current.CancellationToken)).ShouldBeFalse();
    }

    private static Task UntilAsync(Func<bool> condition) => Eventually.Async(condition);
}
