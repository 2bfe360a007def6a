using Microsoft.Extensions.Logging.Abstractions;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Hooks;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Preserved;
using TwinKernel.Fleet.GuestAgent.Probation;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Twin;
using TwinKernel.Fleet.GuestAgent.Workload;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Tests.Fakes;

/// <summary>An agent over a model of its guest. <see cref="Restart"/> is a kill: all that is left is the journal and what the module says.</summary>
internal sealed class Scenario : IDisposable
{
    /// <summary>What kernel A says in its handover to a kernel B of 384 MiB.</summary>
    public static readonly HandoverOrder Order = new()
    {
        UpgradeId = "u9",
        Epoch = 3,
        Token = "handed-over",
        Mac = FakeGuest.Mac,
        Network = "10.0.2.15/24,10.0.2.2",
        Functions = [new PciFunction(0, 2 << 3)],
        SlotBytes = 384 * FakeGuest.MiB,
    };

    public Scenario(int cpus = 2, int blocks = 16)
    {
        Guest = FakeGuest.Create(cpus, blocks);
        Device = new FakeDevice(Guest, Time);
        Kexec = new FakeKexec(Guest);
        Restart();
    }

    public FakeGuest Guest { get; }

    /// <summary>What <see cref="UpTo"/> asks of the standby.</summary>
    public bool TakeOverOnPanic { get; set; }

    /// <summary>What the host says that it has plugged in for kernel B.</summary>
    public Wire.StandbyCard? Card { get; set; }

    public FakeDevice Device { get; }

    public FakeKexec Kexec { get; }

    public RecordingStack Stack { get; } = new();

    public SmallImage Image { get; } = new();

    public UpgradeJournal Journal { get; private set; } = null!;

    public StepRunner Runner { get; private set; } = null!;

    public Steps Steps { get; private set; } = null!;

    public Standby Standby { get; private set; } = null!;

    public ServiceHandover Services { get; private set; } = null!;

    public GuestNetwork Network { get; private set; } = null!;

    public BearerToken Token { get; private set; } = null!;

    public StatusReader Status { get; private set; } = null!;

    public InspectionReader Inspection { get; private set; } = null!;

    public ContactWatchdog Watchdog { get; private set; } = null!;

    public ManualTime Time { get; } = new();

    /// <summary>Nothing of this guest is taken: all CPUs and blocks online, no slot, no instance.</summary>
    public void ShouldBeWhole()
    {
        Guest.OfflineBlocks().ShouldBeEmpty();
        new CpuSwitch(Guest).Online().ShouldBe(new CpuSwitch(Guest).Present());
        Device.Slots().ShouldBeEmpty();
        Device.Instances().ShouldBeEmpty();
        (Journal.Current?.Cpus.Count ?? 0).ShouldBe(0);
        (Journal.Current?.Blocks.Count ?? 0).ShouldBe(0);
        (Journal.Current?.Functions.Count ?? 0).ShouldBe(0);
    }

    public void Restart()
    {
        Journal = new UpgradeJournal(Guest);
        KernelIdentity identity = new(Guest);
        StepHooks hooks = new(Guest, Journal, identity, NullLogger<StepHooks>.Instance) { Deadline = TimeSpan.FromSeconds(2) };
        Runner = new StepRunner(Journal, hooks, NullLogger<StepRunner>.Instance);
        MemoryBlocks memory = new(Guest);
        CpuSwitch cpus = new(Guest);
        ServiceDirectory directory = new(Guest);
        Network = new GuestNetwork(Guest, Stack);
        Network.ConfigureFirst(NetworkConfiguration.Parse("10.0.2.15/24,10.0.2.2"));
        Token = new BearerToken(Guest);
        Token.Take("secret");
        TwinInstances instances = new(Device, Journal);
        TwinLink link = new(Device, Time);
        PreservedMemory preserved = new(Device, Guest, memory, NullLogger<PreservedMemory>.Instance);
        ServiceSupervisor supervisor = new(Guest, directory, preserved, NullLogger<ServiceSupervisor>.Instance);
        ServiceJournals journals = new(directory, Guest, Network, identity, NullLogger<ServiceJournals>.Instance);
        Services = new ServiceHandover(directory, supervisor, new InPlaceServices(directory, supervisor, preserved), Guest, Network, link, journals, new CopyWatch(NullLogger<CopyWatch>.Instance));
        HandoverOffer offer = new(Device, Network, Token, link, Journal, identity, Services);
        StandbyCard card = new(Guest, Network, Stack, journals);
        Commit commit = new(Device, memory, cpus, card, Services, journals);
        StandbyNetwork standbyNetwork = new(Guest, Network, Stack, link);
        GiveBack giveBack = new(Device, Journal, Guest, memory, cpus, standbyNetwork, Services);
        KexecImage image = new(Kexec, Guest);
        Steps = new Steps(
            new Preflight(Device, Journal, Guest, memory, cpus, Network, image, hooks, Services),
            new Reserve(Device, Journal, Guest, memory, cpus, giveBack),
            new Load(Device, Journal, Guest, image),
            new Start(Device, Journal),
            new AwaitStandby(Device, instances, standbyNetwork, offer, Services, TimeProvider.System),
            new Transfer(Device, Journal, Guest, memory, cpus, Network, instances, link),
            new CutOver(Device, Network, instances, offer, giveBack, Services, Runner, hooks, NullLogger<CutOver>.Instance),
            commit,
            new RollBack(Device, Journal, giveBack, image),
            new KexecLoad(image, Guest),
            new KexecCutOver(Kexec, image, Services, Network, Runner));
        Watchdog = new ContactWatchdog(Device, Time, NullLogger<ContactWatchdog>.Instance);
        Standby = new Standby(Device, Journal, Guest, memory, cpus, Network, card, new QuietConsole(Guest), Token, Runner, commit, Services, journals, Watchdog, NullLogger<Standby>.Instance);
        Status = new StatusReader(Device, Journal, Guest, Network, Standby, identity);
        Inspection = new InspectionReader(Device, Journal, Guest, Network, Status);
    }

    public Task<StepOutcome> Preflight(string upgradeId = "u1", ulong epoch = 1) => Run(Wire.Step.Preflight, step =>
        Steps.Preflight.Run(new PreflightQuestion(upgradeId, 0, 0, 0)).ShouldAllBe(check => check.Passed || !check.NeededFor.Contains(Wire.Strategy.Twin)), upgradeId, epoch);

    public Task<StepOutcome> Reserve(ulong slotBytes = 0, string upgradeId = "u1", ulong epoch = 1) =>
        Run(Wire.Step.Reserve, step => Steps.Reserve.Run(step, slotBytes), upgradeId, epoch);

    public Task<StepOutcome> Load(Wire.LoadHeader? header = null) =>
        Run(Wire.Step.Load, step => Steps.Load.Run(step, header ?? Image.Header(), Image.Chunks()));

    public Task<StepOutcome> Start() => Run(Wire.Step.Start, Steps.Start.Run);

    public Task<StepOutcome> AwaitStandby(int milliseconds = 5000, bool takeOverOnPanic = false) =>
        Run(Wire.Step.Standby, step => Steps.AwaitStandby.Run(step, TimeSpan.FromMilliseconds(milliseconds), takeOverOnPanic));

    public Task<StepOutcome> Transfer() => Run(Wire.Step.Transfer, step => Steps.Transfer.Run(step, Card));

    /// <summary>The call, and the park behind it to its end.</summary>
    public async Task<StepOutcome> CutOver(uint patience = 300)
    {
        TaskCompletionSource parked = new();
        StepOutcome outcome = await Runner.RunAsync(Wire.Step.CutOver, "u1", 1, step => Steps.CutOver.Prepare(step, patience), CancellationToken.None,
            after: step => Task.Run(() =>
            {
                Steps.CutOver.Park(step, patience);
                parked.SetResult();
            }));
        await parked.Task.WaitAsync(TimeSpan.FromSeconds(10));
        return outcome;
    }

    public Task<StepOutcome> Commit() => Run(Wire.Step.Commit, step => Steps.Commit.Run(step, 0));

    public Task<StepOutcome> RollBack(string upgradeId = "u1", ulong epoch = 1) => Run(Wire.Step.RollBack, Steps.RollBack.Run, upgradeId, epoch);

    /// <summary>Everything up to and with a step.</summary>
    public async Task UpTo(Wire.Step last)
    {
        (Wire.Step Step, Func<Task> Run)[] all =
        [
            (Wire.Step.Preflight, () => Preflight()), (Wire.Step.Reserve, () => Reserve()), (Wire.Step.Load, () => Load()), (Wire.Step.Start, Start),
            (Wire.Step.Standby, () => AwaitStandby(takeOverOnPanic: TakeOverOnPanic)), (Wire.Step.Transfer, Transfer),
        ];
        foreach ((Wire.Step step, Func<Task> run) in all)
        {
            if (step <= last)
            {
                await run();
            }
        }
    }

    public Task<StepOutcome> Run(Wire.Step step, Action<StepContext> body, string upgradeId = "u1", ulong epoch = 1) =>
        Runner.RunAsync(step, upgradeId, epoch, body, CancellationToken.None);

    public void Dispose() => Guest.Dispose();
}

/// <summary>Remembers what would have been configured.</summary>
internal sealed class RecordingStack : INetworkStack
{
    public List<string> Configured { get; } = [];

    public void Configure(string networkInterface, NetworkConfiguration configuration, params IReadOnlyList<Neighbour> neighbours) =>
        Configured.Add($"{networkInterface} {configuration}{string.Concat(neighbours.Select(neighbour => $" knows {neighbour.Host}"))}");

    public void RouteHost(string networkInterface, System.Net.IPAddress host) => Configured.Add($"{networkInterface} to {host}");

    public void TakeDown(string networkInterface) => Configured.Add($"{networkInterface} down");

    public void Rename(string networkInterface, string name) => Configured.Add($"{networkInterface} is {name}");

    public int Ping(System.Net.IPAddress host, int count, TimeSpan patience)
    {
        Configured.Add($"ping {host}");
        return count;
    }

    public int Tickle(System.Net.IPAddress own, IReadOnlyList<TcpConnection> connections)
    {
        Configured.Add($"{own} tickles {string.Join(' ', connections.Select(connection => $"{connection.Remote}:{connection.RemotePort} of {connection.LocalPort}"))}");
        return connections.Count;
    }

    public void BringUpLoopback() => Configured.Add("lo");
}
