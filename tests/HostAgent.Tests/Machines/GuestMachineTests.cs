using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.HostAgent.Configuration;
using TwinKernel.Fleet.HostAgent.Machines;
using TwinKernel.Fleet.HostAgent.Tests.Images;
using TwinKernel.Fleet.Tests.Servers;

namespace TwinKernel.Fleet.HostAgent.Tests.Machines;

/// <summary>Real QEMU processes, with a kernel that prints a line and halts.</summary>
public sealed class GuestMachineTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly int _standbyPort = FreePort.Udp();
    private StateDirectory _state = null!;

    private string Images => _directory.File("images");

    private MachineFiles Files => new(_state, "g1");

    public ValueTask InitializeAsync()
    {
        _state = StateDirectory.Open(_directory.File("state"));
        TestImages.Write(Images, "a");
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _state.Dispose();
        await StopGuests.RunAsync(_directory.File("state"), forget: false, TextWriter.Null, TextWriter.Null, default);
        _ending.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_machine_outlives_its_agent_and_is_adopted_by_the_next()
    {
        (MachineEndpoint first, MachineRecord record) = await RunAsync(async (machine, endpoint) =>
        {
            await Eventually.Async(() => ConsoleLog.After(machine.ConsoleLogs[0], 0).Contains(TestImages.FirstLine, StringComparison.Ordinal));
            return (endpoint, Record());
        });
        record.Process!.IsAlive().ShouldBeTrue("the machine must not end with its agent");
        File.GetUnixFileMode(Files.Token).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        first.Token.ShouldMatch("^[0-9a-f]{64}$");

        MachineEndpoint second = await RunAsync((_, endpoint) => Task.FromResult(endpoint));
        (second.Run, second.Agent, second.Service.ToString(), second.Token).ShouldBe((first.Run, first.Agent, first.Service.ToString(), first.Token));
        Record().Process.ShouldBe(record.Process);
    }

    [Fact]
    public async Task An_agent_that_was_killed_between_start_and_record_finds_its_machine_all_the_same()
    {
        MachineEndpoint first = await RunAsync((_, endpoint) => Task.FromResult(endpoint));
        DurableFile.WriteJson(Files.Record, Record() with { Process = null, AgentPort = 0, ServicePort = 0 });
        (await RunAsync((_, endpoint) => Task.FromResult(endpoint))).Run.ShouldBe(first.Run);
    }

    [Fact]
    public async Task A_record_is_not_believed_when_its_process_is_another()
    {
        TestImages.Write(Images, "b", 100);
        string digest = TestImages.Store(Images).Find("b").Digest;
        DurableFile.WriteJson(Files.Record, new MachineRecord
        {
            Guest = "g1",
            Uuid = Guid.NewGuid(),
            ImageDigest = digest,
            ServingImageDigest = digest,
            Accelerator = "tcg",
            Process = ProcessIdentity.Of(Environment.ProcessId),
            AgentPort = 1,
            ServicePort = 1,
        });
        await RunAsync((_, _) => Task.FromResult(0));
        MachineRecord record = Record();
        record.Process!.Pid.ShouldNotBe(Environment.ProcessId);
        record.ImageDigest.ShouldBe(digest, "a new start is on the image that ran last, not on the configured one");
    }

    [Fact]
    public async Task A_machine_that_died_is_started_again_before_commit_on_A_and_after_commit_on_B()
    {
        string a = TestImages.Store(Images).Find("a").Digest, b = TestImages.Write(Images, "b", 100);
        await RunAsync(async (machine, endpoint) =>
        {
            machine.RecordServing(b);
            machine.ServingImageDigest.ShouldBe(b);
            MachineEndpoint second = await KillAsync(machine, endpoint);
            (Record().ImageDigest, machine.ServingImageDigest).ShouldBe((a, a));

            machine.RecordServing(b);
            machine.RecordCommitted(b);
            MachineEndpoint third = await KillAsync(machine, second);
            (Record().ImageDigest, machine.ServingImageDigest).ShouldBe((b, b));
            third.Token.ShouldNotBe(second.Token);
            return 0;
        });
    }

    [Fact]
    public async Task A_reset_ends_the_machine_and_is_reported()
    {
        await RunAsync(async (machine, endpoint) =>
        {
            // The agent holds the QMP connection, so that a signal plays the part; QEMU reports it as it does a reset.
            List<string> reasons = [];
            machine.Changed += () => reasons.Add(machine.StoppedBecause);
            Record().Process!.Signal(ProcessIdentity.Terminate);
            await WaitGoneAsync(endpoint);
            await machine.WaitRunningAsync(default).WaitAsync(Patience);
            reasons.ShouldContain(r => r.Contains("SHUTDOWN host-signal", StringComparison.Ordinal));
            return 0;
        });
    }

    [Fact]
    public async Task A_restart_gives_another_run_of_the_machine()
    {
        await RunAsync(async (machine, endpoint) =>
        {
            MachineEndpoint second = await machine.RestartAsync("test", default).WaitAsync(Patience);
            second.Run.ShouldNotBe(endpoint.Run);
            endpoint.Gone.IsCancellationRequested.ShouldBeTrue();
            return 0;
        });
    }

    [Fact]
    public async Task An_image_is_tried_once_and_stays_only_when_it_is_committed()
    {
        string a = TestImages.Store(Images).Find("a").Digest, b = TestImages.Write(Images, "b", 100);
        await RunAsync(async (machine, first) =>
        {
            MachineEndpoint second = await machine.TryAsync(b, "test", default).WaitAsync(Patience);
            second.Run.ShouldNotBe(first.Run);
            (machine.ServingImageDigest, Record().ImageDigest, Record().NextImageDigest, machine.OnTrial).ShouldBe((b, a, null, true));

            MachineEndpoint third = await KillAsync(machine, second);
            (machine.ServingImageDigest, Record().ImageDigest, machine.OnTrial).ShouldBe((a, a, false), "a machine that died while it was tried is back on what it ran last");

            MachineEndpoint fourth = await machine.TryAsync("sha256:" + new string('0', 64), "an image that is not there", default).WaitAsync(Patience);
            (fourth.Run != third.Run, machine.ServingImageDigest, machine.OnTrial).ShouldBe((true, a, false));

            MachineEndpoint fifth = await machine.TryAsync(b, "test", default).WaitAsync(Patience);
            machine.RecordCommitted(b);
            await KillAsync(machine, fifth);
            (machine.ServingImageDigest, machine.OnTrial).ShouldBe((b, false));
            return 0;
        });
    }

    [Fact]
    public async Task A_try_that_an_agent_died_in_is_made_by_the_next_one()
    {
        string a = TestImages.Store(Images).Find("a").Digest, b = TestImages.Write(Images, "b", 100);
        MachineEndpoint first = await RunAsync((_, endpoint) => Task.FromResult(endpoint));
        MachineRecord left = Record() with { NextImageDigest = b };
        DurableFile.WriteJson(Files.Record, left);
        left.Process!.Signal(ProcessIdentity.KillAtOnce);
        await Eventually.Async(() => !left.Process.IsAlive());
        await RunAsync((machine, endpoint) =>
        {
            (machine.ServingImageDigest, Record().ImageDigest, endpoint.Run == first.Run).ShouldBe((b, a, false));
            return Task.FromResult(0);
        });
    }

    [Fact]
    public async Task The_standby_card_is_plugged_in_once_whichever_agent_does_it_and_stays_when_the_guest_holds_it()
    {
        StandbyCard card = await RunAsync(async (machine, _) =>
        {
            machine.NeedsStandbyCard.ShouldBeTrue();
            (await machine.UnplugStandbyCardAsync(TimeSpan.Zero, default)).ShouldBeTrue("there is none");
            return await machine.PlugStandbyCardAsync(default);
        });
        (card.Mac != QemuCommandLine.Mac("h", "g1"), card.Network).ShouldBe((true, "10.0.3.15/24"));
        MachineRecord record = Record();
        await RunAsync(async (machine, _) =>
        {
            (await machine.PlugStandbyCardAsync(default)).ShouldBe(card);
            await machine.LeadServiceAsync(toStandbyCard: true, default);
            await machine.LeadServiceAsync(toStandbyCard: true, default);
            return 0;
        });
        await RunAsync(async (machine, _) =>
        {
            await machine.LeadServiceAsync(toStandbyCard: false, default);
            (await machine.UnplugStandbyCardAsync(TimeSpan.FromSeconds(1), default)).ShouldBeFalse("this kernel has halted");
            return 0;
        });
        Record().ShouldBe(record, "the guest's own ports are still those of its own card");
        using Socket service = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        Should.Throw<SocketException>(() => service.Bind(new IPEndPoint(IPAddress.Loopback, _standbyPort))).SocketErrorCode.ShouldBe(SocketError.AddressAlreadyInUse);
    }

    [Fact]
    public async Task A_standby_port_that_is_taken_is_told_and_the_card_can_be_plugged_in_later()
    {
        await RunAsync(async (machine, _) =>
        {
            using (Socket other = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
            {
                other.Bind(new IPEndPoint(IPAddress.Loopback, _standbyPort));
                (await Should.ThrowAsync<QmpException>(() => machine.PlugStandbyCardAsync(default))).Message.ShouldContain($"{_standbyPort}");
            }

            return await machine.PlugStandbyCardAsync(default);
        });
    }

    [Fact]
    public async Task A_damaged_image_is_not_booted()
    {
        await File.AppendAllTextAsync(Path.Combine(Images, "a", "vmlinuz"), "x");
        GuestMachine machine = Machine();
        Task running = machine.RunAsync(_ending.Token);
        await machine.Settled.WaitAsync(Patience);
        machine.Endpoint.ShouldBeNull();
        machine.StoppedBecause.ShouldContain("its manifest says");
        await _ending.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task Stop_guests_ends_what_runs_and_waits_for_no_running_agent()
    {
        await RunAsync((_, _) => Task.FromResult(0));
        ProcessIdentity process = Record().Process!;
        await File.WriteAllTextAsync(_state.EpochFile, "{}");
        _state.Dispose();
        StringWriter output = new();
        (await StopGuests.RunAsync(_directory.File("state"), forget: true, output, TextWriter.Null, default)).ShouldBe(0);
        output.ToString().ShouldContain($"g1: stopped (process {process.Pid})");
        process.IsAlive().ShouldBeFalse();
        Directory.Exists(_directory.File("state/machines/g1")).ShouldBeFalse();
        File.Exists(_directory.File("state/epochs.json")).ShouldBeFalse();
    }

    private MachineRecord Record() => DurableFile.ReadJson<MachineRecord>(Files.Record)!;

    private static async Task WaitGoneAsync(MachineEndpoint endpoint) =>
        await Eventually.Async(() => endpoint.Gone.IsCancellationRequested);

    private async Task<MachineEndpoint> KillAsync(GuestMachine machine, MachineEndpoint endpoint)
    {
        Record().Process!.Signal(ProcessIdentity.KillAtOnce);
        await WaitGoneAsync(endpoint);
        return await machine.WaitRunningAsync(default).WaitAsync(Patience);
    }

    private GuestMachine Machine() => new(
        new GuestOptions { Name = "g1", Image = "a", Cpus = 1, MemoryMiB = 256, StandbyPort = _standbyPort },
        Files,
        new MachineStarter("h", "qemu-system-x86_64", NullLogger.Instance),
        TestImages.Store(Images),
        _ => Task.FromResult(new ChosenAccelerator(Accelerator.Tcg, "test")),
        TimeProvider.System,
        NullLogger.Instance);

    /// <summary>One life of an agent's object: it brings the machine up or finds it, and ends without ending it.</summary>
    private async Task<T> RunAsync<T>(Func<GuestMachine, MachineEndpoint, Task<T>> body)
    {
        GuestMachine machine = Machine();
        using CancellationTokenSource life = new();
        Task running = machine.RunAsync(life.Token);
        try
        {
            return await body(machine, await machine.WaitRunningAsync(TestContext.Current.CancellationToken).WaitAsync(Patience));
        }
        finally
        {
            await life.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(() => running);
        }
    }
}
