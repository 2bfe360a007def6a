using TwinKernel.Fleet.BootImage.Acpi;
using System.Text;

namespace TwinKernel.Fleet.BootImage;

/// <summary>
/// Turns a request into the bytes of a boot by the Linux x86 boot protocol's 64-bit entry. Pure: nothing is read or
/// written but the request and the plan.
/// </summary>
/// <remarks>
/// The command line gets <c>console=</c> (from the request; every other one is dropped), <c>maxcpus=1 noreplace-smp no_ipi_broadcast=1
/// tsc_early_khz=… tsc=reliable pci=off nokaslr panic=0 reserve=… twinkernel.control=0x…</c>, where reserve keeps the driver of
/// the serial ports off those that are not the console. Values that the image gives for console, panic, tsc, tsc_early_khz,
/// no_ipi_broadcast, noreplace-smp, reserve and twinkernel.control are replaced. Refused, because dropping
/// them would silently change what the image asks for: maxcpus other than 1, pci other than off, acpi other than force,
/// nr_cpus, possible_cpus, nosmp, mem, memmap, acpi_rsdp, noapic, nolapic, disableapic, lapic_timer, nolapic_timer, crashkernel,
/// earlyprintk, earlycon. All else is kept, and what follows <c>--</c> stays behind it.
/// </remarks>
public static class BootPlanner
{
    /// <summary>Length of the control block in bytes (TWINKERNEL_CONTROL_BYTES in kernel/include/uapi/twinkernel.h).</summary>
    public const ulong ControlBytes = 0x10000;

    /// <summary>Length of the memory for the link between the two kernels in bytes: a page and two rings of 1 MiB (kernel/include/abi/link.h).</summary>
    public const ulong LinkBytes = 0x201000;

    /// <summary>Physical addresses end here: what Linux supports with four levels of page tables (64 TiB).</summary>
    internal const ulong AddressLimit = 1UL << 46;

    /// <summary>Plans a boot.</summary>
    /// <exception cref="BootImageException">The request cannot be booted; carries all reasons.</exception>
    public static BootPlan Plan(BootRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var violations = new Violations("this boot is refused");
        RequestChecks.Check(request, violations);
        if (violations.Count > 0)
        {
            /* The layout needs valid ranges; the command line does not. */
            TwinCommandLine.Build(request, control: 0, violations);
            violations.ThrowIfAny();
        }

        var layout = SlotLayout.Of(request, violations);
        var commandLine = TwinCommandLine.Build(request, layout.Control, violations);
        var acpi = AcpiTables.Build(request, layout.Acpi);
        violations.Require((ulong)acpi.Length <= layout.Link - layout.Acpi, nameof(BootRequest.ApicIds),
            $"ACPI tables of at most {layout.Link - layout.Acpi} bytes", $"{acpi.Length} for {request.ApicIds.Count} CPUs and {request.Nodes?.Memory.Count ?? 0} pieces of memory");
        violations.ThrowIfAny();

        var map = MemoryMap.Build(request, layout.Acpi, layout.Link);
        var setupData = SetupData.Build(request.HeldBack, layout.SetupData, Math.Max(layout.Acpi, request.LowWindow.End));
        BootSegment[] segments =
        [
            new(layout.PageTable, IdentityMap.Build(request.Slot, layout.PageTable), "page_tables"),
            new(layout.BootParams, BootParams.Build(request, layout, map), "boot_params"),
            new(layout.CommandLine, Encoding.ASCII.GetBytes(commandLine + "\0"), "command_line"),
            new(layout.SetupData, setupData, "setup_data"),
            new(layout.Kernel, request.Kernel.Payload, "kernel"),
            new(layout.Initrd, request.Initrd, "initrd"),
            new(layout.Acpi, acpi, "acpi"),
            new(layout.Control, new byte[ControlBytes], "control"),
        ];

        return new BootPlan
        {
            Entry = layout.Kernel + SetupHeader.Entry64,
            BootParams = layout.BootParams,
            PageTable = layout.PageTable,
            Control = layout.Control,
            Link = layout.Link,
            CommandLine = commandLine,
            MemoryMap = map,
            Segments = [.. segments.Where(segment => !segment.Bytes.IsEmpty).OrderBy(segment => segment.Address)],
        };
    }
}
