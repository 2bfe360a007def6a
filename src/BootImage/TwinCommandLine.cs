using System.Globalization;
using System.Text;

namespace TwinKernel.Fleet.BootImage;

/// <summary>
/// Turns an image's command line into that of a twin boot. What a twin boot needs is set; where the image says
/// something else it is replaced when the image only describes the machine it would boot on alone (console, panic
/// behaviour, TSC), and refused when the image's wish cannot be kept (fewer CPUs, another memory map, PCI options, no ACPI).
/// </summary>
internal static class TwinCommandLine
{
    /// <summary>Keys whose value is the twin boot's, whatever the image says; all occurrences go.</summary>
    private static readonly string[] Replaced = ["console", "panic", "tsc", "tsc_early_khz", "no_ipi_broadcast", "noreplace_smp", "reserve", "twinkernel.control"];

    /// <summary>The ISA serial ports by number, drivers/tty/serial/8250: probing one that is the other kernel's console garbles it.</summary>
    private static readonly string[] SerialPorts = ["0x3f8", "0x2f8", "0x3e8", "0x2e8"];

    /// <summary>Accepted with the value that a twin boot has, refused with another; null: refused always.</summary>
    private static readonly Dictionary<string, (string? Accepted, string Reason)> Fixed = new(StringComparer.Ordinal)
    {
        ["maxcpus"] = ("maxcpus=1", "CPUs come one by one"),
        ["pci"] = ("pci=off", "PCI functions come at cut-over"),
        ["nokaslr"] = ("nokaslr", "the layout of the slot is given"),
        ["acpi"] = ("acpi=force", "the twin's machine is described by ACPI tables"),
        ["nr_cpus"] = (null, "all CPUs of the machine come over"),
        ["possible_cpus"] = (null, "all CPUs of the machine come over"),
        ["nosmp"] = (null, "all CPUs of the machine come over"),
        ["mem"] = (null, "the memory map is the slot's"),
        ["memmap"] = (null, "the memory map is the slot's"),
        ["acpi_rsdp"] = (null, "the RSDP is the slot's"),
        ["noapic"] = (null, "the local APIC is the only interrupt controller"),
        ["nolapic"] = (null, "the local APIC is the only interrupt controller"),
        ["disableapic"] = (null, "the local APIC is the only interrupt controller"),
        ["lapic_timer"] = (null, "the local APIC timer is the only timer"),
        ["nolapic_timer"] = (null, "the local APIC timer is the only timer"),
        ["crashkernel"] = (null, "a crash kernel would reset the machine under the other kernel"),
        ["earlyprintk"] = (null, "the port may be the other kernel's; use console="),
        ["earlycon"] = (null, "the port may be the other kernel's; use console="),
    };

    public static string Build(BootRequest request, ulong control, Violations violations)
    {
        foreach (var (field, text) in ((string, string)[])[(nameof(BootRequest.CommandLine), request.CommandLine), (nameof(BootRequest.Console), request.Console)])
        {
            violations.Require(!text.AsSpan().ContainsAnyExceptInRange(' ', '~'), field, "printable ASCII", "other characters");
        }

        violations.Require(request.Console.Length > 0 && !request.Console.AsSpan().ContainsAny(' ', '"'), nameof(BootRequest.Console),
            "a console without blanks and quotes", $"\"{request.Console}\"");

        var (kernel, init) = Split(request.CommandLine);
        var result = kernel.Where(p => Keep(p, violations)).ToList();
        result.Add($"console={request.Console}");
        /* Booted with one CPU the kernel would drop its lock prefixes, and halt for half a second to put them back at the commit. */
        result.AddRange(["maxcpus=1", "noreplace-smp", "no_ipi_broadcast=1"]);
        result.Add(string.Create(CultureInfo.InvariantCulture, $"tsc_early_khz={request.TscKhz}"));
        result.AddRange(["tsc=reliable", "pci=off", "nokaslr", "panic=0"]);
        result.Add("reserve=" + string.Join(',', SerialPorts.Where((_, port) => !IsPort(request.Console, port)).Select(port => $"{port},8")));
        result.Add(string.Create(CultureInfo.InvariantCulture, $"twinkernel.control=0x{control:x}"));
        if (init.Count > 0)
        {
            result.Add("--");
            result.AddRange(init);
        }

        var line = string.Join(' ', result);
        violations.Require((ulong)line.Length <= request.Kernel.CommandLineSize, nameof(BootRequest.CommandLine),
            $"at most {request.Kernel.CommandLineSize} bytes (cmdline_size)", $"{line.Length} with what a twin boot adds");
        return line;
    }

    private static bool IsPort(string console, int port) =>
        console.Split(',')[0] == string.Create(CultureInfo.InvariantCulture, $"ttyS{port}");

    private static bool Keep(string parameter, Violations violations)
    {
        /* The kernel takes '-' and '_' in names for the same. */
        var key = parameter.Split('=', 2)[0].Trim('"').Replace('-', '_');
        if (Replaced.Contains(key, StringComparer.Ordinal))
        {
            return false;
        }

        if (!Fixed.TryGetValue(key, out var rule))
        {
            return true;
        }

        if (rule.Accepted != parameter)
        {
            violations.Add(nameof(BootRequest.CommandLine),
                rule.Accepted is null ? $"no {key} ({rule.Reason})" : $"{rule.Accepted} or no {key} ({rule.Reason})", parameter);
        }

        return key == "acpi";
    }

    /// <summary>Splits at blanks outside of quotes; what follows "--" is init's.</summary>
    private static (List<string> Kernel, List<string> Init) Split(string line)
    {
        var kernel = new List<string>();
        var init = new List<string>();
        var into = kernel;
        var current = new StringBuilder();
        var quoted = false;
        foreach (var c in line.Append(' '))
        {
            if (c != ' ' || quoted)
            {
                quoted ^= c == '"';
                current.Append(c);
                continue;
            }

            Flush();
        }

        Flush(); /* An unclosed quote reaches to the end, as in the kernel. */
        return (kernel, init);

        void Flush()
        {
            if (current.Length == 0)
            {
                return;
            }

            var parameter = current.ToString();
            current.Clear();
            if (parameter == "--" && into == kernel)
            {
                into = init;
            }
            else
            {
                into.Add(parameter);
            }
        }
    }
}
