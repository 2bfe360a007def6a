using System.Diagnostics;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>The status, from procfs, the module's query and the journal's picture: takes no lock and waits for no step.</summary>
public sealed class StatusReader(ITwinKernelDevice device, UpgradeJournal journal, KernelFiles files, GuestNetwork network, Standby standby, KernelIdentity identity)
{
    private static readonly string Version = typeof(StatusReader).Assembly.GetName().Version?.ToString(3) ?? "0";

    public Wire.Status Read()
    {
        Wire.Status status = new()
        {
            AgentVersion = Version,
            KernelRelease = identity.Release,
            BootId = identity.BootId,
            UptimeNs = (ulong)(Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency)),
            MemoryBytes = MemoryInfo.Read(files, "MemTotal"),
            CpusPresent = (uint)CpuSwitch.ParseList(files.Read("/sys/devices/system/cpu/present")).Count,
            CpusOnline = (uint)CpuSwitch.ParseList(files.Read("/sys/devices/system/cpu/online")).Count,
            NetworkInterface = network.Interface?.Name ?? "",
            NetworkAddress = network.Configuration?.Cidr ?? "",
        };
        AddJournal(status);
        try
        {
            AddMachine(status);
        }
        catch (DeviceException)
        {
            // No module: the preflight says why; the status tells what is known without it.
        }

        return status;
    }

    private void AddMachine(Wire.Status status)
    {
        MachineView machine = device.Query();
        status.TwinBooted = machine.TwinBooted;
        status.HasParent = machine.HasParent;
        status.ParentParked = machine.ParentParked;
        status.TookOver = machine is { TwinBooted: true, HasParent: false } or { ParentParked: true }
            && standby.Order is { Failover: true } order && order.UpgradeId == status.UpgradeId;
        (status.MachineMemoryBytes, status.MachineMemoryOwnedBytes) = MachineMemory.Sum(machine.Ranges);
        Dictionary<uint, ClaimedSlot> slots = device.Slots().ToDictionary(slot => slot.Id);
        foreach (RunningInstance instance in device.Instances())
        {
            ClaimedSlot slot = slots.GetValueOrDefault(instance.Slot);
            status.Instances.Add(new Wire.Instance
            {
                Id = instance.Id,
                State = instance.State.ToString().ToLowerInvariant(),
                KernelRelease = instance.Release,
                Cpus = { machine.Cpus.Where(cpu => cpu.Instance == instance.Id).Select(cpu => cpu.Number) },
                SlotStart = slot.Start,
                SlotBytes = slot.Bytes,
                Slot = instance.Slot,
                ImageId = files.TryRead($"/sys/kernel/twinkernel/instances/{instance.Id}/image_id") ?? "",
                Beat = instance.Beat,
                Armed = files.TryRead($"/sys/kernel/twinkernel/instances/{instance.Id}/armed") == "1",
                BeatAgeNs = (ulong)(instance.BeatAge.Ticks * TimeSpan.NanosecondsPerTick),
            });
        }
    }

    private void AddJournal(Wire.Status status)
    {
        if (journal.Current is not { } upgrade)
        {
            return;
        }

        status.UpgradeId = upgrade.UpgradeId;
        status.Epoch = upgrade.Epoch;
        foreach (StepEntry step in upgrade.Steps)
        {
            status.Steps.Add(new Wire.StepRecord
            {
                Step = step.Step,
                State = step.State,
                Timings = { step.Timings.Select(identity.OnThisClock) },
                ErrorReason = step.Reason ?? "",
                ErrorMessage = step.Message ?? "",
            });
        }
    }
}
