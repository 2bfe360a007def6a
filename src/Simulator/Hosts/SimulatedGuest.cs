using Google.Protobuf;
using TwinKernel.Fleet.Contracts.Guest;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Simulator.Journal;

namespace TwinKernel.Fleet.Simulator.Hosts;

/// <summary>A machine: what a command really does to it. It outlives the host's agent, and with a journal the simulator. For any thread.</summary>
internal sealed class SimulatedGuest(string name, IReadOnlyDictionary<string, string> labels, ImageReport image, FleetJournal journal)
{
    private const int Cpus = 2;
    private const long MachineMemory = 2L << 30;
    private readonly Lock _lock = new();
    private Kernel _a = new(image, BootId());
    private Kernel? _b;
    private bool _parked;
    private int _commits;

    public string Name => name;

    /// <summary>How often a commit gave the machine to a new kernel.</summary>
    public int Commits
    {
        get
        {
            lock (_lock)
            {
                return _commits;
            }
        }
    }

    /// <summary>Carries out a step that succeeds. Why it cannot: null, or the failure of an agent that asks too much.</summary>
    public string? Do(ExecuteStep command, ImageReport wanted)
    {
        lock (_lock)
        {
            switch (command.Step)
            {
                case UpgradeStep.CutOver:
                    _b ??= new Kernel(wanted, BootId());
                    _parked = command.Strategy == UpgradeStrategy.Twin;
                    Write(command);
                    return null;
                case UpgradeStep.Probation when _b?.Image != wanted:
                    return $"Kernel {wanted.KernelRelease} does not serve.";
                case UpgradeStep.Commit when _b is { } b && b.Image == wanted:
                    (_a, _b, _parked) = (b, null, false);
                    _commits++;
                    Write(command);
                    return null;
                case UpgradeStep.Commit when _a.Image != wanted:
                    return $"Kernel {wanted.KernelRelease} does not serve.";
                case UpgradeStep.RollBack:
                    (_b, _parked) = (null, false);
                    Write(command);
                    return null;
                default:
                    return null;
            }
        }
    }

    /// <summary>Becomes what an earlier run has left.</summary>
    public void Restore(MachineKernels kernels, IReadOnlyList<ImageReport> images)
    {
        lock (_lock)
        {
            _a = Of(kernels.ImageA, kernels.BootA);
            _b = kernels is { ImageB: { } digest, BootB: { } boot } ? Of(digest, boot) : null;
            (_parked, _commits) = (kernels.Parked, kernels.Commits);
        }

        Kernel Of(string digest, string boot) => new(images.First(one => one.Digest == digest), boot);
    }

    private void Write(ExecuteStep command) => journal.Write(JournalLine.Of(JournalWord.Changed, command) with
    {
        Kernels = new MachineKernels(_a.Image.Digest, _a.BootId, _b?.Image.Digest, _b?.BootId, _parked, _commits),
    });

    public GuestObservation Observe(DateTimeOffset at)
    {
        lock (_lock)
        {
            Kernel serving = _b ?? _a;
            return new GuestObservation
            {
                ObservedAt = at,
                KernelRelease = serving.Image.KernelRelease,
                BootId = serving.BootId,
                HasParent = _parked,
                CpusOnline = _parked ? Cpus - 1 : Cpus,
                CpusPresent = Cpus,
                MemoryBytes = MachineMemory * 9 / 10,
                MachineMemoryBytes = MachineMemory,
                MachineMemoryOwnedBytes = _parked ? MachineMemory / 2 : MachineMemory,
            };
        }
    }

    public GuestReport Report(DateTimeOffset at)
    {
        lock (_lock)
        {
            return new GuestReport
            {
                Guest = name,
                State = GuestState.Running,
                ImageDigest = (_b ?? _a).Image.Digest,
                ServiceAddress = "127.0.0.1:1",
                Labels = labels,
                Observation = Observe(at),
            };
        }
    }

    /// <summary>What a guest's agent would say of itself.</summary>
    public byte[] Inspect(DateTimeOffset at)
    {
        GuestObservation seen = Observe(at);
        return new Inspection
        {
            Status = new Status
            {
                AgentVersion = "simulated",
                KernelRelease = seen.KernelRelease,
                BootId = seen.BootId,
                HasParent = seen.HasParent,
                ParentParked = seen.HasParent,
                CpusOnline = (uint)seen.CpusOnline,
                CpusPresent = (uint)seen.CpusPresent,
                MemoryBytes = (ulong)seen.MemoryBytes,
                MachineMemoryBytes = (ulong)seen.MachineMemoryBytes,
                MachineMemoryOwnedBytes = (ulong)seen.MachineMemoryOwnedBytes,
            },
            ModuleError = "simulated: there is no module",
        }.ToByteArray();
    }

    private static string BootId() => Guid.NewGuid().ToString();

    private sealed record Kernel(ImageReport Image, string BootId);
}
