using static TwinKernel.Fleet.BootImage.ByteWriting;
using static TwinKernel.Fleet.BootImage.Violations;

namespace TwinKernel.Fleet.BootImage;

/// <summary>
/// Where everything lies in a slot: page tables, boot_params, command line and setup_data at its start, then the kernel,
/// the initrd as high as it may lie, and at its end, outside of the kernel's RAM, ACPI tables, the link and the control block.
/// </summary>
internal sealed record SlotLayout
{
    public const ulong TopBytes = (1UL << 20) + BootPlanner.LinkBytes;
    private const ulong PageBytes = 4096;

    public required ulong PageTable { get; init; }

    public required ulong BootParams { get; init; }

    public required ulong CommandLine { get; init; }

    public required ulong SetupData { get; init; }

    public required ulong Kernel { get; init; }

    public required ulong Initrd { get; init; }

    public required ulong Acpi { get; init; }

    public required ulong Link { get; init; }

    public required ulong Control { get; init; }

    /// <summary>Lays out a request whose ranges are valid; adds to <paramref name="violations"/> what does not fit.</summary>
    public static SlotLayout Of(BootRequest request, Violations violations)
    {
        var slot = request.Slot;
        var kernel = request.Kernel;
        var acpi = slot.End - TopBytes;

        var bootParams = slot.Start + IdentityMap.BytesFor(slot);
        var commandLine = bootParams + BootImage.BootParams.Bytes;
        var setupData = AlignUp(commandLine + kernel.CommandLineSize + 1, PageBytes);
        var free = setupData + (ulong)BootImage.SetupData.BytesFor(request.HeldBack.Count);

        /* A relocatable kernel that is loaded below its preferred address moves itself up to it. */
        var load = kernel.Relocatable ? Math.Max(AlignUp(free, kernel.Alignment), AlignUp(kernel.PreferredAddress, kernel.Alignment)) : kernel.PreferredAddress;
        violations.Require(kernel.Relocatable || (load >= free && load < acpi), "relocatable_kernel",
            $"a relocatable kernel, or one for an address from {Hex(free)} to {Hex(acpi)}", $"one fixed at {Hex(load)}");
        violations.Require(load <= acpi && kernel.InitSize <= acpi - Math.Min(load, acpi), "init_size",
            $"at most {(load < acpi ? acpi - load : 0)} bytes, what the slot {slot} has from {Hex(load)} to {Hex(acpi)}", $"{kernel.InitSize}");

        /* With XLF_CAN_BE_LOADED_ABOVE_4G the 64-bit address of the initrd counts, and initrd_addr_max does not. */
        var initrdLimit = kernel.CanBeLoadedAbove4G ? acpi : Math.Min(acpi, AlignDown(kernel.InitrdAddressMax + 1UL, PageBytes));
        var initrdBytes = AlignUp((ulong)request.Initrd.Length, PageBytes);
        var kernelEnd = AlignUp(load + kernel.InitSize, PageBytes);
        violations.Require(kernelEnd <= initrdLimit && initrdBytes <= initrdLimit - Math.Min(kernelEnd, initrdLimit), nameof(BootRequest.Initrd),
            $"room from {Hex(kernelEnd)} to {Hex(initrdLimit)}{(initrdLimit < acpi ? " (initrd_addr_max)" : "")}", $"{request.Initrd.Length} bytes");

        return new SlotLayout
        {
            PageTable = slot.Start,
            BootParams = bootParams,
            CommandLine = commandLine,
            SetupData = setupData,
            Kernel = load,
            Initrd = request.Initrd.Length == 0 ? 0 : unchecked(initrdLimit - initrdBytes),
            Acpi = acpi,
            Link = slot.End - BootPlanner.ControlBytes - BootPlanner.LinkBytes,
            Control = slot.End - BootPlanner.ControlBytes,
        };
    }
}
