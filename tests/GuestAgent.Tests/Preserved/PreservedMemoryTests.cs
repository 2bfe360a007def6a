using Microsoft.Extensions.Logging.Abstractions;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Preserved;
using TwinKernel.Fleet.GuestAgent.Tests.Fakes;

namespace TwinKernel.Fleet.GuestAgent.Tests.Preserved;

/// <summary>Memory blocks become preserved pieces, and never come back by accident.</summary>
public sealed class PreservedMemoryTests : IDisposable
{
    private const ulong Page = 4096;
    private readonly Scenario _scenario = new();

    private FakeGuest Guest => _scenario.Guest;

    private FakeDevice Device => _scenario.Device;

    [Fact]
    public void Pieces_share_the_highest_block_that_goes_offline()
    {
        Guest.Refusals["/sys/devices/system/memory/memory15/state"] = "offline";
        PreservedMemory preserved = Preserved();
        preserved.Ensure("ledger", 2 * Page);
        preserved.Ensure("journal", Page);
        preserved.Ensure("ledger", 2 * Page);

        Guest.OfflineBlocks().ShouldBe([14u]);
        Device.PreservedSpans.ShouldBe([(14 * FakeGuest.BlockBytes, FakeGuest.BlockBytes)]);
        preserved.Has("journal", Page).ShouldBeTrue();
        preserved.Has("journal", 2 * Page).ShouldBeFalse();
        Should.Throw<DeviceException>(() => preserved.Ensure("journal", 2 * Page)).Errno.ShouldBe(Errno.EEXIST);
        _scenario.Inspection.Read().Memory.Single(piece => piece.Owner == "preserved: journal").Bytes.ShouldBe(Page);
    }

    [Fact]
    public void What_needs_more_than_a_block_gets_blocks_one_behind_the_other()
    {
        Guest.Refusals["/sys/devices/system/memory/memory14/state"] = "offline";
        Preserved().Ensure("large", FakeGuest.BlockBytes + Page);

        Guest.OfflineBlocks().ShouldBe([12u, 13u]);
        Device.PreservedSpans.ShouldBe([(12 * FakeGuest.BlockBytes, 2 * FakeGuest.BlockBytes)]);
    }

    [Fact]
    public void A_module_that_refuses_gets_nothing_and_the_kernel_has_its_blocks_back()
    {
        Device.Failures.Enqueue(("PRESERVE_MEMORY", Errno.EAGAIN));
        Should.Throw<DeviceException>(() => Preserved().Ensure("ledger", Page)).Errno.ShouldBe(Errno.EAGAIN);
        Guest.OfflineBlocks().ShouldBeEmpty();
    }

    [Fact]
    public void An_agent_that_was_killed_in_the_middle_left_a_note()
    {
        PreservedMemory preserved = Preserved();
        Guest.AfterWrite = () => throw new InvalidOperationException("killed");
        Should.Throw<InvalidOperationException>(() => preserved.Ensure("ledger", Page));
        Guest.AfterWrite = null;
        Guest.OfflineBlocks().ShouldBe([15u]);

        Preserved().Ensure("ledger", 2 * FakeGuest.BlockBytes);

        // The machine's last block is not all memory: the module does not take it.
        Guest.OfflineBlocks().ShouldBe([12u, 13u]);
        Device.PreservedSpans.ShouldBe([(12 * FakeGuest.BlockBytes, 2 * FakeGuest.BlockBytes)]);
    }

    [Fact]
    public void Memory_that_the_kernel_needs_is_not_taken()
    {
        Guest.Put("/proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable: 204800 kB\n");
        Should.Throw<IOException>(() => Preserved().Ensure("ledger", Page)).Message.ShouldContain("200 MiB of memory are available");
        Guest.Writes.ShouldBeEmpty();
    }

    [Fact]
    public void The_preflight_says_what_could_not_be_preserved_and_what_a_kexec_would_lose()
    {
        Guest.Put("/etc/twinkernel/services.d/ledger.json", """{"name": "ledger", "start": ["/bin/sleep", "100"], "probe": {"command": ["/bin/true"]}, "handover": "in-place", "preserve": {"bytes": 4096}}""");
        Guest.Put("/proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable: 1000 kB\n");
        _scenario.Services.Start(ownsMachine: true);
        PreflightCheck services = Check("services");
        services.Passed.ShouldBeFalse();
        services.Message.ShouldContain("ledger is not started, since its memory cannot be preserved: 0 MiB");
        Check("preserved").Message.ShouldStartWith("ledger would lose");
        Preflight.Choose([Check("preserved")], [Contracts.Guest.Strategy.Kexec, Contracts.Guest.Strategy.Twin]).ShouldBe(Contracts.Guest.Strategy.Twin);
    }

    [Fact]
    public void A_Redis_whose_journal_cannot_be_preserved_is_started_and_goes_over_without()
    {
        Guest.Put("/etc/twinkernel/services.d/redis.json", """{"name": "redis", "start": ["/bin/sleep", "100"], "probe": {"command": ["/bin/true"]}, "handover": "replicated-redis", "port": 1, "probation": "journal", "preserve": {"bytes": 4096}}""");
        Guest.Put("/proc/cmdline", "twinkernel.standby=10.0.2.16/24");
        Guest.Put("/proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable: 1000 kB\n");
        _scenario.Services.Start(ownsMachine: true);
        PreflightCheck services = Check("services");
        services.Passed.ShouldBeTrue(services.Message);
        services.Message.ShouldContain("redis lets writes wait for the commit, since its journal cannot be preserved: 0 MiB");
        SpinWait.SpinUntil(() => Guest.Exists("/run/twinkernel/services/redis"), TimeSpan.FromSeconds(30)).ShouldBeTrue();

        // Another size than that of a kernel before, whose journal is as good.
        Guest.Put("/proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable: 1000000 kB\n");
        Preserved().Ensure("redis", 2 * Page);
        _scenario.Services.Owned();
        Check("services").Message.ShouldNotContain("redis");
    }

    [Fact]
    public void From_the_top_leaves_movable_zones_for_the_next_slot()
    {
        MemoryBlock[] blocks = [.. Enumerable.Range(0, 8).Select(number => new MemoryBlock((uint)number, Online: number != 2, Movable: number != 6, MovableZone: number is 5 or 7))];
        MemoryRuns.FromTheTop(blocks, 1, new HashSet<uint> { 3 }).ShouldBe([4u, 1u, 7u, 5u]);
        MemoryRuns.FromTheTop(blocks, 2, new HashSet<uint>()).ShouldBe([3u, 4u]);
    }

    public void Dispose() => _scenario.Dispose();

    private PreservedMemory Preserved() => new(Device, Guest, new MemoryBlocks(Guest), NullLogger<PreservedMemory>.Instance);

    private PreflightCheck Check(string name) => _scenario.Steps.Preflight.Run(new PreflightQuestion("u1", 0, 0, 0)).Single(check => check.Name == name);
}
