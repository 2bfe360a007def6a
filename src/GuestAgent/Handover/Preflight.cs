using TwinKernel.Fleet.GuestAgent.Hooks;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Services;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>One answer of the preflight.</summary>
public sealed record PreflightCheck(string Name, bool Passed, string Message)
{
    /// <summary>What is impossible when it has not passed.</summary>
    public IReadOnlyList<Wire.Strategy> NeededFor { get; init; } = [Wire.Strategy.Twin];
}

/// <summary>What the preflight holds the guest against.</summary>
/// <param name="UpgradeId">The upgrade that asks.</param>
/// <param name="SlotBytes">0: the default.</param>
/// <param name="KernelBytes">0: not checked.</param>
/// <param name="InitrdBytes">0: not checked.</param>
public readonly record struct PreflightQuestion(string UpgradeId, ulong SlotBytes, ulong KernelBytes, ulong InitrdBytes)
{
    /// <summary>Kernel B is to take over when this kernel panics.</summary>
    public bool TakeOverOnPanic { get; init; }
}

/// <summary>Asks whether this guest can be upgraded. Touches nothing; every check is made, whatever the others say.</summary>
public sealed class Preflight(
    ITwinKernelDevice device, UpgradeJournal journal, KernelFiles files, MemoryBlocks memory, CpuSwitch cpus, GuestNetwork network, KexecImage kexec, StepHooks hooks, Workload.ServiceHandover services)
{
    private const ulong MiB = 1ul << 20;
    private static readonly Wire.Strategy[] Every = [Wire.Strategy.Twin, Wire.Strategy.Kexec];
    private static readonly Wire.Strategy[] KexecOnly = [Wire.Strategy.Kexec];

    /// <summary>Memory that kernel A needs beside the slot and the image's copies, so that taking the slot does not starve the workload.</summary>
    private const ulong MemoryReserve = 96 * MiB;

    /// <summary>The first of the strategies that no failed check makes impossible; unspecified: none.</summary>
    /// <param name="wanted">The preferred one first; none: a twin.</param>
    public static Wire.Strategy Choose(IReadOnlyList<PreflightCheck> checks, IReadOnlyList<Wire.Strategy> wanted) =>
        (wanted.Count == 0 ? [Wire.Strategy.Twin] : wanted).FirstOrDefault(strategy => checks.All(check => check.Passed || !check.NeededFor.Contains(strategy)));

    public IReadOnlyList<PreflightCheck> Run(PreflightQuestion question)
    {
        MachineView? machine = null;
        PreflightCheck module = Answer("module", () =>
        {
            machine = device.Query();
            return machine.AbiVersion == Abi.Version
                ? (true, $"ABI version {machine.AbiVersion}")
                : (false, $"the module speaks ABI version {machine.AbiVersion}, this agent {Abi.Version}: install module and agent of one release");
        });
        List<PreflightCheck> checks =
        [
            module,
            Answer("upgrade", () => OtherUpgrade(question.UpgradeId, machine)) with { NeededFor = Every },
            Answer("kexec", () => Kexec(machine)) with { NeededFor = KexecOnly },
            Answer("kexec-memory", () => KexecMemory(question)) with { NeededFor = KexecOnly },
        ];
        checks.Add(Answer("hooks", () => hooks.Problems() is { Count: > 0 } problems ? (false, string.Join("; ", problems)) : (true, $"{hooks.Count} in {StepHooks.Directory}")) with { NeededFor = Every });
        checks.Add(Answer("services", services.Check));
        checks.Add(Answer("preserved", services.CheckMemory) with { NeededFor = KexecOnly });
        checks.Add(Answer("cpus", CpuCount));
        checks.Add(Answer("lockdown", Lockdown));
        checks.Add(Answer("memory", () => MovableMemory(question)));
        checks.Add(Answer("memory-available", () => AvailableMemory(question)));
        checks.Add(Answer("image", () => ImageFits(question)));
        checks.Add(Answer("network-function", NetworkFunction));
        if (question.TakeOverOnPanic)
        {
            checks.Add(Answer("panic", NoCrashKernel));
        }

        if (machine is { } seen)
        {
            checks.Add(new PreflightCheck("ipi-shorthand", !seen.IpiShorthand, seen.IpiShorthand
                ? "this kernel may send interrupts to all CPUs at once, those of kernel B too: boot it with no_ipi_broadcast=1"
                : "off"));
            checks.Add(new PreflightCheck("ecam", seen.EcamBase != 0, seen.EcamBase != 0
                ? $"PCI configuration space at 0x{seen.EcamBase:x}, buses {seen.EcamBusFirst} to {seen.EcamBusLast}"
                : "no memory mapped PCI configuration space is known: use a machine with PCI Express (q35)"));
            checks.Add(new PreflightCheck("parent", !seen.HasParent, seen.HasParent
                ? "the upgrade that booted this kernel has not been committed: commit it or roll it back"
                : "this kernel owns the machine") with
            { NeededFor = Every });
        }

        return checks;
    }

    private (bool, string) Kexec(MachineView? machine) => (kexec.IsLoaded, machine) switch
    {
        (null, _) => (false, "this kernel has no kexec"),
        (true, _) => (false, "an image is loaded for kexec already: unload it (kexec -u)"),
        _ when files.TryRead("/proc/sys/kernel/kexec_load_disabled") == "1" => (false, "kexec is disabled until the next boot (kernel.kexec_load_disabled)"),
        (_, { TwinBooted: true }) => (false, "this kernel was booted beside another one, from tables that describe that boot only: upgrade it by a twin or a reboot"),
        _ => (true, "nothing is loaded"),
    };

    /// <summary>The image lies in memory as it was received, as files and as the kernel keeps it.</summary>
    private (bool, string) KexecMemory(PreflightQuestion question)
    {
        ulong needed = ((question.KernelBytes + question.InitrdBytes) * 4) + (64 * MiB);
        ulong available = MemoryInfo.Read(files, "MemAvailable");
        string figures = $"{available / MiB} MiB available, {needed / MiB} MiB needed";
        return (available >= needed, available >= needed ? figures : $"{figures}: free memory or give the guest more");
    }

    private (bool, string) OtherUpgrade(string upgradeId, MachineView? machine) => journal.Current switch
    {
        { Active: true } other when other.UpgradeId != upgradeId => (false, $"upgrade {other.UpgradeId} is active here: commit it or roll it back"),
        _ when machine is not null && device.Instances().Count > 0 && journal.Current is not { Active: true } => (false, "an instance runs that no known upgrade has started: roll back"),
        _ => (true, "no other upgrade is active"),
    };

    private (bool, string) CpuCount()
    {
        IReadOnlyList<uint> online = cpus.Online();
        return online.Count >= 2 || (journal.Current?.Cpus.Count ?? 0) > 0
            ? (true, $"{online.Count} online")
            : (false, "one CPU is online, and a single-CPU guest cannot twin: give it a second one, or upgrade it by kexec or by a reboot");
    }

    private (bool, string) NoCrashKernel() =>
        files.TryRead("/sys/kernel/kexec_crash_loaded") != "1" || files.Read("/proc/cmdline").Split(' ').Any(word => word.StartsWith("crash_kexec_post_notifiers", StringComparison.Ordinal))
            ? (true, "kernel B can take over when this kernel panics")
            : (false, "a crash kernel is loaded and would run instead of kernel B: unload it (kexec -p -u), boot with crash_kexec_post_notifiers, or upgrade with --on-panic reset");

    private (bool, string) Lockdown()
    {
        string? lockdown = files.TryRead("/sys/kernel/security/lockdown");
        return lockdown is null || lockdown.Contains("[none]", StringComparison.Ordinal)
            ? (true, "none")
            : (false, $"the kernel is locked down ({lockdown}); there is no protection between two kernels, so the module refuses: boot with lockdown=none");
    }

    private (bool, string) MovableMemory(PreflightQuestion question)
    {
        ulong blockBytes = memory.BlockBytes();
        int count = MemoryRuns.BlocksFor(Reserve.Wanted(question.SlotBytes), blockBytes);
        string wanted = $"{count} contiguous memory blocks of {blockBytes / MiB} MiB below 4 GiB";
        uint[] starts = [.. MemoryRuns.Candidates(memory.List(), blockBytes, count, new HashSet<uint>())];
        return (starts.Length, Reserve.BootReserved(files, (ulong)count * blockBytes)) switch
        {
            ( > 0, _) => (true, $"{starts.Length} places for {wanted}"),
            (_, not null) => (true, $"a slot reserved at boot; no place for {wanted}"),
            _ => (false, $"no place for {wanted} that can be taken offline: give the guest more memory, ask for a smaller slot, or reserve one at boot"),
        };
    }

    private (bool, string) AvailableMemory(PreflightQuestion question)
    {
        ulong blockBytes = memory.BlockBytes();
        ulong slot = (ulong)MemoryRuns.BlocksFor(Reserve.Wanted(question.SlotBytes), blockBytes) * blockBytes;
        if (Reserve.BootReserved(files, slot) is not null || (journal.Current?.Blocks.Count ?? 0) > 0)
        {
            slot = 0;
        }

        ulong needed = slot + question.KernelBytes + question.InitrdBytes + MemoryReserve;
        ulong available = MemoryInfo.Read(files, "MemAvailable");
        string figures = $"{available / MiB} MiB available, {needed / MiB} MiB needed (slot, image, {MemoryReserve / MiB} MiB to go on with)";
        return (available >= needed, available >= needed ? figures : $"{figures}: free memory or give the guest more");
    }

    /// <summary>The kernel unpacks to about five times its size, the initramfs to about three; both lie in the slot packed as well.</summary>
    private (bool, string) ImageFits(PreflightQuestion question)
    {
        ulong blockBytes = memory.BlockBytes();
        ulong slot = (ulong)MemoryRuns.BlocksFor(Reserve.Wanted(question.SlotBytes), blockBytes) * blockBytes;
        ulong needed = (question.KernelBytes * 6) + (question.InitrdBytes * 4) + (64 * MiB);
        string figures = $"about {needed / MiB} MiB of the slot's {slot / MiB} MiB";
        return (needed <= slot, needed <= slot ? figures : $"{figures}: ask for a larger slot or use a smaller image");
    }

    private (bool, string) NetworkFunction()
    {
        if (network.Interface is not { } own)
        {
            return (false, "no network interface on a PCI function is configured: kernel B would have nothing to answer on");
        }

        string? mounted = MountedOn(own.Function);
        return mounted is null
            ? (true, $"{own.Name} on {own.Function}, driver {own.Driver}")
            : (false, $"{own.Function} carries {own.Name} and also {mounted}: a function that holds a mounted file system cannot move");
    }

    private string? MountedOn(PciFunction function) => (files.TryRead("/proc/mounts") ?? "").Split('\n')
        .Select(line => line.Split(' '))
        .Where(mount => mount.Length > 1 && mount[0].StartsWith("/dev/", StringComparison.Ordinal))
        .Where(mount => files.Resolve($"/sys/class/block/{Path.GetFileName(mount[0])}")?.Contains($"/{function}/", StringComparison.Ordinal) == true)
        .Select(mount => $"{mount[0]} on {mount[1]}")
        .FirstOrDefault();

    private static PreflightCheck Answer(string name, Func<(bool Passed, string Message)> check)
    {
        try
        {
            (bool passed, string message) = check();
            return new PreflightCheck(name, passed, message);
        }
        catch (Exception error) when (error is IOException or FormatException or UnauthorizedAccessException)
        {
            return new PreflightCheck(name, false, error.Message);
        }
    }
}
