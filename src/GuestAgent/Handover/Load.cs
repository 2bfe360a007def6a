using System.Globalization;
using Grpc.Core;
using TwinKernel.Fleet.BootImage;
using TwinKernel.Fleet.GuestAgent.Images;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Handover;

/// <summary>Receives the image, plans the boot and writes it into the slot. Nothing is written before digests and plan are right.</summary>
public sealed class Load(ITwinKernelDevice device, UpgradeJournal journal, KernelFiles files, KexecImage kexec)
{
    /// <param name="nextChunk">The next bytes as they arrive; null at the end.</param>
    public void Run(StepContext context, Wire.LoadHeader header, Func<CancellationToken, ReadOnlyMemory<byte>?> nextChunk)
    {
        (ClaimedSlot slot, uint cpu) = Reserved();
        using ImageReceiver image = ImageReceiver.Receive(context, header, slot.Bytes, nextChunk);
        WritePlan(context, slot, PlanBoot(context, header, slot, cpu, image));
        context.Facts["image"] = header.ImageDigest;
    }

    /// <summary>Where the launch begins, as the step recorded it.</summary>
    public static LaunchAddresses Addresses(StepEntry load) => new(Address(load, "entry"), Address(load, "boot_params"), Address(load, "page_table"), Address(load, "control"), Address(load, "link"));

    private static ulong Address(StepEntry load, string fact) => ulong.Parse(load.Facts[fact].AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private BootPlan PlanBoot(StepContext context, Wire.LoadHeader header, ClaimedSlot slot, uint cpu, ImageReceiver image)
    {
        if (kexec.Requires(header.RequireSignature))
        {
            // Not without need: for as long as it checks, the kernel does nothing else on a CPU, and this may be the last one that serves.
            string signature = context.Facts["signature"] = context.Measure("signature", () => kexec.Ask(image.Kernel.Span));
            if (signature != KexecImage.Valid)
            {
                throw KexecLoad.SignatureRejected(signature);
            }
        }

        return context.Measure("plan", () =>
        {
            MachineView machine = device.Query();
            MachineMemory memory = MachineMemory.Around((slot.Start, slot.Start + slot.Bytes), machine.Ranges, machine.MemoryBlockBytes);
            try
            {
                BzImage kernel = BzImage.Parse(image.Kernel);
                context.Facts["kernel_release"] = kernel.KernelVersion.Split(' ')[0];
                return BootPlanner.Plan(new BootRequest
                {
                    Kernel = kernel,
                    Initrd = image.Initrd,
                    CommandLine = header.CommandLine,
                    Slot = new PhysicalRange(slot.Start, slot.Bytes),
                    LowWindow = new PhysicalRange(slot.LowStart, slot.LowSize),
                    ApicIds = [.. machine.Cpus.Select(each => each.ApicId)],
                    BootApicId = machine.Cpus.First(each => each.Number == cpu).ApicId,
                    TscKhz = machine.TscKhz,
                    HeldBack = [.. memory.HeldBack.Select(range => new PhysicalRange(range.Start, range.End - range.Start))],
                    Nodes = Nodes(machine, slot),
                    Ecam = machine.EcamBase == 0 ? null : new Ecam(machine.EcamBase, (byte)machine.EcamBusFirst, (byte)machine.EcamBusLast),
                    Console = OtherConsole(),
                });
            }
            catch (BootImageException error)
            {
                throw new StepFailure(StatusCode.InvalidArgument, Reasons.ImageInvalid, error.Message, error);
            }
        });
    }

    /// <summary>null on a machine with one node. The window below 1 MiB, which the module does not list, belongs to what follows it.</summary>
    private NumaNodes? Nodes(MachineView machine, ClaimedSlot slot)
    {
        CpuSwitch cpus = new(files);
        Dictionary<uint, uint> nodes = machine.Cpus.ToDictionary(cpu => cpu.ApicId, cpu => cpus.Node(cpu.Number));
        NodeMemory[] memory =
        [
            .. machine.Ranges
                .Select(range => (range.Node, Start: Math.Max(range.Start, MachineMemory.Floor), range.End))
                .Where(range => range.Start < range.End)
                .Select(range => new NodeMemory(range.Node, new PhysicalRange(range.Start, range.End - range.Start))),
        ];
        return nodes.Values.Concat(memory.Select(piece => piece.Node)).Distinct().Count() < 2
            ? null
            : new NumaNodes(nodes, [new NodeMemory(memory[0].Node, new PhysicalRange(slot.LowStart, slot.LowSize)), .. memory]);
    }

    private void WritePlan(StepContext context, ClaimedSlot slot, BootPlan plan)
    {
        context.Measure("write", () =>
        {
            foreach (BootSegment segment in plan.Segments)
            {
                context.Cancellation.ThrowIfCancellationRequested();
                device.Write(segment.Address, segment.Bytes.Span);
            }
        });
        context.Facts["slot"] = $"{slot.Id}";
        context.Facts["entry"] = $"0x{plan.Entry:x}";
        context.Facts["boot_params"] = $"0x{plan.BootParams:x}";
        context.Facts["page_table"] = $"0x{plan.PageTable:x}";
        context.Facts["control"] = $"0x{plan.Control:x}";
        context.Facts["link"] = $"0x{plan.Link:x}";
        context.Facts["command_line"] = plan.CommandLine;
    }

    private (ClaimedSlot Slot, uint Cpu) Reserved()
    {
        StepEntry reserve = journal.Current!.Find(Wire.Step.Reserve)!;
        uint id = uint.Parse(reserve.Facts["slot"], CultureInfo.InvariantCulture);
        uint cpu = uint.Parse(reserve.Facts["cpu"], CultureInfo.InvariantCulture);
        foreach (ClaimedSlot slot in device.Slots())
        {
            if (slot.Id == id)
            {
                return (slot, cpu);
            }
        }

        throw new StepFailure(StatusCode.FailedPrecondition, Reasons.Device, $"The module does not know slot {id} any more: roll back and begin anew.");
    }

    /// <summary>Kernels that live side by side take turns with the two serial ports.</summary>
    private string OtherConsole() =>
        KernelCommandLine.Value(files.TryRead("/proc/cmdline") ?? "", "console")?.StartsWith("ttyS1", StringComparison.Ordinal) == true
            ? "ttyS0,115200"
            : "ttyS1,115200";
}
