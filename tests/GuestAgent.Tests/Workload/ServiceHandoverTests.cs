using System.Globalization;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;
using TwinKernel.Fleet.GuestAgent.Twin;
using TwinKernel.Fleet.GuestAgent.Workload;
using TwinKernel.Fleet.Probe.Tests;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Workload;

/// <summary>Kernel B's agent and its copy of a Redis, both Redis being real.</summary>
public sealed class ServiceHandoverTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan AWhile = TimeSpan.FromMilliseconds(300);
    private static readonly HandoverOrder Order = Scenario.Order;

    private readonly RedisServer _a = RedisServer.Start();
    private readonly RedisServer _b = RedisServer.Start();
    private readonly Scenario _kernelB = new(cpus: 3);

    public ServiceHandoverTests()
    {
        _kernelB.Device.HasParent = _kernelB.Device.TwinBooted = true;
        _kernelB.Guest.Put("/etc/twinkernel/services.d/redis.json", $$"""{"name": "redis", "start": ["/bin/true"], "probe": {"tcp": {{_b.Port}}}, "handover": "replicated-redis", "port": {{_b.Port}}}""");
        _kernelB.Guest.Put("/run/twinkernel/services/redis", "");
    }

    [Fact]
    public async Task A_copy_is_a_master_that_holds_its_writes_when_the_last_sync_is_answered_and_is_asked_no_more_behind_the_park()
    {
        Answer(new LinkMessage { Sequence = 1, Kind = LinkMessage.ServicesReady }).Kind.ShouldBe(LinkMessage.Done);
        LastSync().Kind.ShouldBe(LinkMessage.Done);
        _b.Ask("INFO", "replication").Single().ShouldNotBeNull().ShouldContain("role:master");
        Task write = Task.Run(() => _b.Ask("SET", "counter", "6").ShouldBe(["OK"]), TestContext.Current.CancellationToken);
        await Should.ThrowAsync<TimeoutException>(write.WaitAsync(AWhile, TestContext.Current.CancellationToken));

        _kernelB.Standby.TakeOver(Order, TimeSpan.Zero);

        PartsOfServices().ShouldBe(["cutover.pause.redis", "cutover.sync.redis", "cutover.promote.redis", "cutover.follow.redis"]);
        await Should.ThrowAsync<TimeoutException>(write.WaitAsync(AWhile, TestContext.Current.CancellationToken));
        _b.Ask("GET", "counter").ShouldBe(["5"]);
        _kernelB.Services.Committed();
        await write.WaitAsync(Soon, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task An_agent_that_is_started_again_behind_the_promotion_makes_sure_of_it()
    {
        LastSync().Kind.ShouldBe(LinkMessage.Done);
        _kernelB.Restart();
        _kernelB.Standby.Recall();

        _kernelB.Standby.TakeOver(_kernelB.Standby.Order!, TimeSpan.Zero);

        PartsOfServices().ShouldBe(["cutover.promote.redis"]);
        _b.Ask("INFO", "replication").Single().ShouldNotBeNull().ShouldContain("role:master");
        Task write = Task.Run(() => _b.Ask("SET", "counter", "6"), TestContext.Current.CancellationToken);
        await Should.ThrowAsync<TimeoutException>(write.WaitAsync(AWhile, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void After_a_panic_of_kernel_A_it_becomes_a_master_that_holds_nothing()
    {
        Copy();
        _kernelB.Standby.Answer(new LinkMessage { Sequence = 2, Kind = LinkMessage.Handover, Order = Order with { Failover = true } }).Kind.ShouldBe(LinkMessage.Done);
        _kernelB.Device.ParentParked = true;

        _kernelB.Standby.TakeOver(_kernelB.Standby.Order!, TimeSpan.Zero);

        _b.Ask("SET", "counter", "6").ShouldBe(["OK"]);
        SpinWait.SpinUntil(() => _kernelB.Journal.Current!.Succeeded(Wire.Step.Commit), Soon).ShouldBeTrue("it commits by itself");
    }

    [Fact]
    public void What_is_no_copy_is_not_taken()
    {
        LastSync().Kind.ShouldBe(LinkMessage.Done);
        LinkMessage again = Sync(1);
        again.Kind.ShouldBe(LinkMessage.Refused);
        again.Error.ShouldNotBeNull().ShouldContain("no replica");
        Answer(new LinkMessage { Sequence = 4, Kind = LinkMessage.SyncService, Services = ["other"], Offset = 1 }).Error.ShouldBe("other has no copy here");
    }

    public void Dispose()
    {
        _kernelB.Dispose();
        _a.Dispose();
        _b.Dispose();
    }

    private LinkMessage Answer(LinkMessage question) => _kernelB.Standby.Answer(question);

    /// <summary>Kernel A has all writes of its Redis held, and says how far that is.</summary>
    private LinkMessage LastSync()
    {
        RedisService inA = Copy();
        Answer(new LinkMessage { Sequence = 2, Kind = LinkMessage.Handover, Order = Order }).Kind.ShouldBe(LinkMessage.Done);
        return Sync(inA.Hold());
    }

    private LinkMessage Sync(long offset) => Answer(new LinkMessage { Sequence = 3, Kind = LinkMessage.SyncService, Services = ["redis"], Offset = offset, HeldNanoseconds = 1 });

    private RedisService Copy()
    {
        _a.Ask("CONFIG", "SET", "repl-diskless-sync-delay", "0");
        _a.Ask("SET", "counter", "5");
        _b.Ask("REPLICAOF", "127.0.0.1", _a.Port.ToString(CultureInfo.InvariantCulture));
        SpinWait.SpinUntil(() => _b.Ask("GET", "counter") is ["5"], Soon).ShouldBeTrue("it is a copy");
        return new RedisService(new ServiceDefinition { Name = "redis", Port = _a.Port });
    }

    private IEnumerable<string> PartsOfServices() =>
        _kernelB.Status.Read().Steps.Single().Timings.Select(timing => timing.Name).Where(part => part.EndsWith(".redis", StringComparison.Ordinal));
}
